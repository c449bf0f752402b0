"""The stand-in for the clone and T2A endpoints: it listens on loopback, and nothing in it costs money.

It downloads what it is told to clone, decodes it with code of its own, enforces the endpoint's contract,
answers in the service's shapes, and keeps account of what the service would have charged.
"""

from __future__ import annotations

from onetake.sandbox.endpoint.server import StandInEndpoint

__all__ = ["StandInEndpoint"]
