"""The text of a prompt clip beside what is heard in it, before a paid call is refused for it (codes 1043, 1044)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from onetake.errors import TakeRefused

if TYPE_CHECKING:
    from onetake.clones.request import Observer, Order
    from preflight import Comparison, Finding
    from preflight.input.types import PathLike
    from preflight.report import Report


def compare_prompt(order: Order, path: PathLike, report: Report, observer: Observer) -> dict[str, Any] | None:
    """Have a prompt clip heard and warn where its text differs; None where the order names no model.

    Args:
        order: Names model, text, and the `accuracy` that is asked of the endpoint.
        path: Of the clip that is to be sent.
        report: Of the same.
        observer: Is told of a difference.

    Returns:
        As `comparison_fields`.

    Raises:
        TakeRefused: They differ, and the profile makes that an error.
        preflight.BadSpeechModel, preflight.EngineMissing: The model cannot be used.
    """
    text = order.options.prompt_text
    if order.speech_model is None or text is None or order.profile.severity("prompt-text-differs") == "off":
        return None
    from preflight import compare_text, display_name, text_findings

    name = display_name(order.take if order.prompt is None else order.prompt)  # not that of a temporary copy
    comparison = compare_text(path, text, order.speech_model)
    findings = text_findings(comparison, order.profile, limit=order.options.accuracy)
    told = comparison.heard or "nothing"
    agreement = "" if comparison.agreement is None else f" (agreement {comparison.agreement:.2f})"
    observer.step("hear", f"{told}{agreement}")
    for finding in findings:
        if finding.severity == "error":
            hint = "correct --prompt-text, or choose another clip"
            raise TakeRefused(f"{name}: {finding.message}", hint, report)
        if finding.severity == "warning":
            observer.warn(f"{name}: {finding.message}")
    return comparison_fields(comparison, findings)


def comparison_fields(comparison: Comparison, findings: tuple[Finding, ...]) -> dict[str, Any]:
    """What JSON says of a comparison: ``heard``, ``agreement``, ``language`` and ``findings``."""
    return {**msgspec.to_builtins(comparison), "findings": findings}
