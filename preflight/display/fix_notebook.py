"""What a notebook shows of a recording that was mended, or would be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from preflight.display.notebook import framed, never_failing, pill, shown_report, text_of

if TYPE_CHECKING:
    from preflight.fixes.fix import Fixed


@never_failing
def html_of_fixed(fixed: Fixed) -> str:
    """What was done, or would be, and the report of what came of it."""
    is_done = fixed.after is not None
    done = "written to" if is_done else "planned"
    place = f" <bdi>{text_of(fixed.path)}</bdi>" if fixed.path else ""
    how = "without loss" if fixed.lossless else "coded anew"
    edits = "".join(
        f"<li>{text_of(edit.what)}{'' if edit.safe else ' ' + pill('unsafe', 'warning')}</li>" for edit in fixed.edits
    )
    told = f"<ul>{edits}</ul>" if edits else "<p>Its bytes stay as they are.</p>"
    head = f"<p><strong>{text_of(fixed.action)}</strong>, {how}, {done}{place}</p>"
    return framed(f"{head}{told}{shown_report(fixed.after or fixed.before)}")
