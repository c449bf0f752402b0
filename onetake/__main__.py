"""The command `onetake`."""

from __future__ import annotations

import sys
from pathlib import Path

_PACKAGES = ("preflight", "uploader", "client", "onetake")


def _prefer_own_packages() -> None:
    """Find our packages even where the user has a `client.py` of their own.

    With ``python -m onetake`` or PYTHONPATH the user's folder comes first on the path. The folder that holds our
    packages is put in front of the first one that holds a stranger of the same name.
    """
    home = str(Path(__file__).resolve().parent.parent)
    for index, entry in enumerate(sys.path):
        folder = Path(entry or ".").resolve()
        if str(folder) == home:
            return
        if any((folder / name).is_dir() or (folder / f"{name}.py").is_file() for name in _PACKAGES):
            sys.path.insert(index, home)
            return


def main() -> None:
    """Run the command and exit with its status."""
    _prefer_own_packages()
    from onetake.cli import run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
