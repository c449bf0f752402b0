"""onetake: check a voice recording, mend it, upload it, clone the voice.

    from onetake import clone

    voice = clone("take.m4a", consent="Ann Example, 2026-11-01")
    print(voice.voice_id, voice.expires_at)

The application composes three libraries that are useful alone: `preflight` (is the recording fit?), `uploader`
(a file becomes a URL) and `client` (the clone and speech endpoints). Importing this package costs nothing.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from onetake.clones.api import clone
    from onetake.clones.request import Cloned

__all__ = ["Cloned", "clone"]
__version__ = "0.1.0"

_ROOMS = {"Cloned": "clones.request", "clone": "clones.api"}


def __getattr__(name: str) -> object:
    if name not in _ROOMS:
        raise AttributeError(f"module 'onetake' has no attribute {name!r}")
    from importlib import import_module

    found: object = getattr(import_module(f"onetake.{_ROOMS[name]}"), name)
    globals()[name] = found
    return found
