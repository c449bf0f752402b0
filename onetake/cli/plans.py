"""What `onetake clone --dry-run` shows: what would be sent, and what is known already."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from onetake.console.documents import print_json
from onetake.console.steps import Steps
from onetake.console.streams import print_text
from onetake.errors import SettingError
from onetake.render.text import safe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from onetake.cloning.order import Cloned, Order
    from onetake.cloning.pipeline import Pipeline
    from onetake.settings import Settings


def show_plans(orders: list[Order], settings: Settings, *, sandbox: bool, form: str, is_many: bool) -> None:
    """Say of each recording what a clone would send; nothing is sent, and nothing is written down.

    Args:
        orders: What would be cloned.
        settings: Of the real services.
        sandbox: Whether it would be a rehearsal, which knows nothing from before.
        form: ``text``, or else JSON.
        is_many: Whether there is a line of JSON for each.
    """
    from onetake.cloning.order import require_free_demo
    from onetake.cloning.preparation import plan_order

    steps = Steps(quiet=form != "text")
    where: Any = "sandbox" if sandbox else _destination(settings)
    with contextlib.nullcontext() if sandbox else _pipeline(settings) as pipeline:
        for order in orders:
            if pipeline is not None and (known := pipeline.known(order)) is not None:
                _show_known(known, form=form, is_many=is_many)
                continue
            require_free_demo(order)
            with tempfile.TemporaryDirectory(prefix="onetake-", ignore_cleanup_errors=True) as folder:
                plan = plan_order(order, Path(folder), steps)
            if form != "text":
                print_json({"schema_version": 1, "dry_run": True, **plan, "storage": where}, in_one_line=is_many)
            else:
                print_text(f"would upload to {_in_words(where)} and send")
                print_json(plan["request"])


def _show_known(known: Cloned, *, form: str, is_many: bool) -> None:
    if form != "text":
        fields = {"voice_id": known.voice_id, "name": known.name, "known": True, "warnings": known.warnings}
        print_json({"schema_version": 1, "dry_run": True, **fields}, in_one_line=is_many)
    else:
        print_text(f"would send nothing: its voice is known, {safe(known.name or '')} ({safe(known.voice_id)})")


@contextlib.contextmanager
def _pipeline(settings: Settings) -> Iterator[Pipeline | None]:
    """What asks the ledger; None where there is none yet, which is not made for a question."""
    from onetake.cloning.pipeline import Pipeline
    from onetake.ledger import FILE_NAME, Ledger
    from onetake.settings import home_path

    if not (home_path() / FILE_NAME).exists():
        yield None
        return
    with Ledger(home_path()) as ledger:
        yield Pipeline(settings.storage(), settings.client(), ledger)


def _destination(settings: Settings) -> dict[str, Any]:
    if settings.text("api_key") is None:
        raise SettingError("api_key is not set", "set ONETAKE_API_KEY, or rehearse with --sandbox")
    return settings.storage().describe()


def _in_words(where: Any) -> str:
    if isinstance(where, str):
        return f"the {where}"
    endpoint = f" at {where['endpoint']}" if where["endpoint"] else ""
    return safe(f"{where['provider']}, bucket {where['bucket']}{endpoint},")
