"""onetake: check a voice recording, fix it, upload it, clone the voice.

    from onetake import clone

    voice = clone("take.m4a", consent="Ann Example, 2026-11-01")
    print(voice.voice_id, voice.expires_at)

The application combines three libraries that are useful on their own: `preflight` (check and fix recordings),
`uploader` (S3 storage) and `client` (the clone and speech endpoints). Public names are imported on first use.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False  # not from typing, whose import would double the time of `onetake --version`
if TYPE_CHECKING:
    from onetake.clones.api import clone
    from onetake.clones.request import Cloned
    from onetake.io.s3_objects import recordings

__all__ = ["Cloned", "clone", "recordings"]
__version__ = "0.1.0"

_MODULES = {"Cloned": "clones.request", "clone": "clones.api", "recordings": "io.s3_objects"}


def _require_own_packages() -> None:
    """Raise ImportError where another distribution has replaced or removed files of ours."""
    from onetake.installation import damage

    if problem := damage():
        raise ImportError(problem)


def _is_command() -> bool:
    """Whether the command is being started: `__main__` reports such damage without a traceback."""
    program = (getattr(sys, "argv", None) or ("",))[0].replace("\\", "/").rpartition("/")[2]
    return program.partition(".")[0] in {"onetake", "-m"}


if not _is_command():
    _require_own_packages()


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module 'onetake' has no attribute {name!r}")
    from importlib import import_module

    _require_own_packages()
    found: object = getattr(import_module(f"onetake.{_MODULES[name]}"), name)
    globals()[name] = found
    return found
