"""A stand-in for the clone and T2A endpoints: it listens on loopback and costs nothing.

It downloads recordings, decodes them with code of its own, enforces the service's contract, answers in the service's
formats, and counts what the service would have charged.
"""

from __future__ import annotations

from onetake.sandbox.endpoint.server import StandInEndpoint

__all__ = ["StandInEndpoint"]
