"""onetake: check a voice recording, mend it, upload it, clone the voice.

The application composes three libraries that are useful alone: `preflight` (is the recording fit?), `uploader`
(a file becomes a URL) and `client` (the clone and speech endpoints).
"""

__version__ = "0.1.0"
