"""Whether the installed packages are onetake's own: other distributions install packages of the same names.

Folders named `preflight`, `uploader` and `client` also belong to other distributions on PyPI. An installer replaces
files of the same path without a message, and removes them when that distribution is uninstalled.
"""

from __future__ import annotations

import os
import re

PACKAGES = ("preflight", "uploader", "client")
_MARK = b'__distribution__ = "onetake"'


def damage() -> str:
    """Return what is wrong with the installed packages and how to fix it, in one sentence; empty if they are intact.

    Reads one file of each package: it runs at every start of the command.
    """
    # os.path: importing pathlib takes 8 ms
    home = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120
    for package in PACKAGES:
        try:
            with open(os.path.join(home, package, "__init__.py"), "rb") as file:  # noqa: PTH118, PTH123
                is_own = _MARK in file.read()
        except OSError:
            return f"the package {package!r} of onetake is missing: {_reinstall()}"
        if not is_own:
            return _replaced(package)
    return ""


def component_versions() -> list[str]:
    """Return one line for each component, with its version, for bug reports."""
    import platform
    from importlib.metadata import PackageNotFoundError, requires, version

    lines = [f"Python {platform.python_version()} ({platform.python_implementation()})", platform.platform()]
    for requirement in requires("onetake") or ():
        name = re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0]
        try:
            lines.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            lines.append(f"{name} is not installed")
    return list(dict.fromkeys(lines))


def foreign_files() -> str:
    """Like `damage`, but compare the records of all installed distributions."""
    for package in PACKAGES:
        if owner := _owner(package):
            return _replaced(package, owner)
    return damage()


def _replaced(package: str, owner: str = "") -> str:
    owner = owner or _owner(package)
    if not owner:
        return f"the package {package!r} is not onetake's: {_reinstall()}"
    name = owner.partition(" ")[0]
    return f"the package {package!r} belongs to {owner}, which replaces files of onetake: {_reinstall(name)}"


def _owner(package: str) -> str:
    """Name and version of another distribution with this package in the folder where onetake is; else empty."""
    from importlib.metadata import distributions
    from pathlib import Path

    ours = Path(__file__).resolve().parents[1] / package / "__init__.py"
    for distribution in distributions():
        if distribution.name.lower() == "onetake":
            continue
        for file in distribution.files or ():
            if file.parts[:1] == (package,) and Path(str(file.locate())).resolve().parent.is_relative_to(ours.parent):
                return f"{distribution.name} {distribution.version}"
    return ""


def _reinstall(name: str = "") -> str:
    first = f"pip uninstall {name} && " if name else ""
    return f"{first}pip install --force-reinstall --no-deps onetake"
