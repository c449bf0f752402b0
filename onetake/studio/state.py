"""What the page needs to draw itself after it was loaded, or loaded again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import onetake
from client import CLONE_MODELS, SPEECH_MODELS
from onetake.errors import failure_of
from onetake.studio.scripts import LANGUAGES, script
from onetake.studio.take_report import level_targets
from preflight import limits
from preflight.analysis.speakers.voices import SAME_VOICE_COSINE

if TYPE_CHECKING:
    from onetake.studio.clone_runs import CloneRuns
    from onetake.studio.services import Services
    from onetake.studio.takes import Takes


def state_view(takes: Takes, runs: CloneRuns, services: Services) -> dict[str, Any]:
    """Return the state of the session: takes, clones, languages, limits, and whether the real service can be used."""
    return {
        "version": onetake.__version__,
        "takes": takes.all(),
        "clones": [run.view() for run in runs.all()],
        "languages": [{"code": code, "name": script(code).name} for code in LANGUAGES],
        "levels": level_targets(),
        "limits": {
            "min_s": limits.MIN_DURATION_S,
            "max_s": limits.MAX_DURATION_S,
            "max_bytes": limits.SAFE_BYTES,
            "prompt_below_s": limits.PROMPT_BELOW_S,
        },
        "models": {"clone": CLONE_MODELS, "speech": SPEECH_MODELS},
        "same_voice": SAME_VOICE_COSINE,
        "real": _real_view(services),
    }


def _real_view(services: Services) -> dict[str, Any] | None:
    """Return host and price of the real service, or what its settings lack; None where only rehearsals are allowed."""
    if services.sandbox_only:
        return None
    try:
        settings = services.get("real").settings
        price = settings.price()
        settings.client()
        settings.storage_settings()
    except Exception as error:  # noqa: BLE001 - what is wrong with the settings is shown, and rehearsals still work
        failure = failure_of(error)
        return {"host": None, "price": None, "problem": f"{failure.message}: {failure.hint}"}
    return {"host": services.real_host, "price": None if price is None else str(price), "problem": None}
