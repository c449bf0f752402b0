"""The table of all recordings, which can be sorted and filtered."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final, get_args

from onetake.render.html.markup import escaped, isolated, number
from preflight.report import Verdict
from preflight.wording import clock

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from onetake.render.html.entry import Entry

_MEASURED: Final = (
    ("Loudness", "integrated_loudness_lufs", "LUFS"),
    ("True peak", "true_peak_dbtp", "dBTP"),
    ("Speech", "speech_percent", "%"),
    ("SNR", "snr_db", "dB"),
)
_VERDICTS: Final = get_args(Verdict)


def summary(entries: Sequence[Entry]) -> str:
    """How many there are of each verdict."""
    counts = Counter(entry.report.verdict for entry in entries)
    parts = (f'<span class="verdict {name}">{counts[name]} {name}</span>' for name in _VERDICTS if counts[name])
    return f'<p class="summary">{" ".join(parts)}</p>'


def table(entries: Sequence[Entry], names: Sequence[str]) -> str:
    """A row for each of `entries`, which are called `names`."""
    heads = [
        _head("Take"),
        _head("Verdict"),
        _head("Length", "aside"),
        *(_head(f"{title} <small>{unit}</small>", "aside") for title, _, unit in _MEASURED),
        _head("Findings"),
    ]
    rows = "".join(
        _row(entry, name, place) for place, (entry, name) in enumerate(zip(entries, names, strict=True), start=1)
    )
    return (
        f'{_filter(len(entries))}<div class="table"><table id="takes"><caption>All takes</caption>'
        f"<thead><tr>{''.join(heads)}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _filter(count: int) -> str:
    options = "".join(f'<option value="{name}">{name}</option>' for name in _VERDICTS)
    return (
        '<form class="filter" role="search"><label>Name or finding <input type="search" id="words"></label>'
        f'<label>Verdict <select id="verdict"><option value="">all</option>{options}</select></label>'
        f'<span role="status" id="shown">{count} of {count} takes</span></form>'
    )


def _head(title: str, kind: str = "") -> str:
    return f'<th scope="col" class="{kind}" aria-sort="none"><button type="button">{title}</button></th>'


def _row(entry: Entry, name: str, place: int) -> str:
    report = entry.report
    cells = [
        f'<th scope="row" data-key="{escaped(name)}">{_link(name, place)}</th>',
        f'<td data-key="{_VERDICTS.index(report.verdict)}"><span class="verdict {report.verdict}">{report.verdict}'
        "</span></td>",
        _cell(report.file.duration_s, clock, "aside"),
        *(_cell(report.measurements.get(key), _to_a_tenth, "aside") for _, key, _ in _MEASURED),
        f'<td data-key="{_weight(entry)}">{_rules(entry)}</td>',
    ]
    return f'<tr data-take="take-{place}" data-verdict="{report.verdict}">{"".join(cells)}</tr>\n'


def _link(name: str, place: int) -> str:
    folder, slash, own = name.rpartition("/")
    where = f"<small>{isolated(folder + slash)}</small> " if slash else ""
    return f'{where}<a href="#take-{place}">{isolated(own)}</a>'


def _cell(value: float | None, form: Callable[[float], str], kind: str = "") -> str:
    key, text = ("", "-") if value is None else (number(value, 3), form(value))
    return f'<td class="number {kind}" data-key="{key}">{text}</td>'


def _to_a_tenth(value: float) -> str:
    return f"{round(value, 1) + 0.0:.1f}"  # + 0.0: never "-0.0"


def _weight(entry: Entry) -> int:
    """Errors count more than any number of warnings, and these more than what is only said."""
    weights = {"error": 10_000, "warning": 100, "info": 1}
    return sum(weights[finding.severity] for finding in entry.report.findings)


def _rules(entry: Entry) -> str:
    return " ".join(
        f'<span class="severity {finding.severity}">{escaped(finding.rule)}</span>' for finding in entry.report.findings
    )
