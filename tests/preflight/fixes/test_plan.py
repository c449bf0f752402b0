"""From the facts and findings of a recording to the smallest plan, as a table of cases."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from preflight import limits
from preflight.analysis.analysis import Analysis, ChannelFacts
from preflight.errors import CannotFix, NotARecording, NotExamined
from preflight.fixes.options import FixOptions
from preflight.fixes.plan import Plan, make_plan, mark_impossible_fixes, plan_conversion
from preflight.media.damage import Damage
from preflight.report import Finding
from tests.support.fix_analyses import analysis_of, report_with, with_measurements

MP3: dict[str, Any] = {"container": "mp3", "codec": "mp3", "bits": None}
M4A: dict[str, Any] = {"container": "m4a", "codec": "aac", "bits": None}
OGG: dict[str, Any] = {"container": "ogg", "codec": "opus", "bits": None}
FLAC: dict[str, Any] = {"container": "flac", "codec": "flac", "bits": 24}


def planned(
    analysis: Analysis,
    *errors: str,
    warnings: tuple[str, ...] = (),
    unfixable: tuple[str, ...] = (),
    container: Any = None,
    **options: Any,
) -> Plan:
    report = report_with(analysis, errors, warnings, unfixable)
    return make_plan(analysis, report, FixOptions(**options), container)


def names(plan: Plan) -> list[str]:
    return [edit.name for edit in plan.edits]


@pytest.mark.parametrize(
    ("facts", "errors", "options", "action", "container", "edits"),
    [
        # ready: the bytes stay
        ({}, (), {}, "keep", "wav", []),
        (MP3, (), {}, "keep", "mp3", []),
        (M4A, (), {"to": "m4a"}, "keep", "m4a", []),
        # the wrong suffix: the bytes stay, too
        (M4A, ("extension-mismatch",), {}, "rename", "m4a", ["rename"]),
        # packets are copied
        (M4A | {"container": "mov"}, ("unsupported-format",), {}, "rewrap", "m4a", ["rewrap"]),
        (M4A | {"container": "aac"}, ("unsupported-format", "extension-mismatch"), {}, "rewrap", "m4a", ["rewrap"]),
        (MP3, ("truncated",), {}, "rewrap", "mp3", ["rewrap"]),
        (MP3 | {"seconds": 700.0}, ("too-long",), {}, "rewrap", "mp3", ["cut", "rewrap"]),
        (M4A, (), {"start_s": 5.0, "end_s": 40.0}, "rewrap", "m4a", ["cut", "rewrap"]),
        # samples have to be written
        (OGG, ("unsupported-format",), {}, "convert", "wav", ["convert"]),
        (FLAC, ("unsupported-format",), {}, "convert", "wav", ["convert"]),
        ({"seconds": 700.0, "rate": 8000}, ("too-long",), {}, "convert", "wav", ["cut", "convert"]),
        ({}, (), {"start_s": 5.0, "end_s": 40.0}, "convert", "wav", ["cut", "convert"]),
        (M4A, (), {"to": "mp3"}, "convert", "mp3", ["convert"]),
        (M4A, (), {"to": "wav"}, "convert", "wav", ["convert"]),
        ({}, (), {"to": "m4a"}, "convert", "m4a", ["convert"]),
        ({"channels": 6}, ("too-many-channels",), {}, "convert", "wav", ["fold-down", "convert"]),
        ({"rate": 96_000}, (), {"to": "m4a"}, "convert", "m4a", ["resample", "convert"]),
        # what does not fit into a WAV becomes an M4A
        ({"seconds": 290.0, "channels": 2}, ("too-large",), {}, "convert", "m4a", ["convert"]),
        # processing
        ({}, (), {"loudness_lufs": -20.0}, "convert", "wav", ["loudness", "convert"]),
        (MP3, (), {"edits": {"high-pass"}}, "convert", "wav", ["high-pass", "convert"]),
        (MP3, (), {"edits": {"high-pass"}, "to": "mp3"}, "convert", "mp3", ["high-pass", "convert"]),
        ({"channels": 2}, (), {"edits": {"mono"}}, "convert", "wav", ["fold-down", "convert"]),
        # an edit that changes nothing is not made
        ({}, (), {"edits": {"mono", "fix-polarity", "shorten-pauses"}}, "keep", "wav", []),
        ({}, (), {"edits": {"trim-silence"}}, "keep", "wav", []),
        ({"float_scale": 32768.0, "codec": "pcm_f32le"}, ("float-scale",), {}, "convert", "wav", ["scale", "convert"]),
    ],
)  # fmt: skip
def test_the_smallest_plan(
    facts: dict[str, Any],
    errors: tuple[str, ...],
    options: dict[str, Any],
    action: str,
    container: str,
    edits: list[str],
) -> None:
    plan = planned(analysis_of(**facts), *errors, **options)
    assert (plan.action, plan.container, names(plan)) == (action, container, edits)
    assert (plan.target is not None) == (action == "convert")


@pytest.mark.parametrize(
    ("facts", "errors", "options", "lossless"),
    [
        ({}, (), {}, True), (MP3, ("truncated",), {}, True), (FLAC, ("unsupported-format",), {}, True),
        (OGG, ("unsupported-format",), {}, False), ({}, (), {"loudness_lufs": -20.0}, False),
        ({"channels": 6}, ("too-many-channels",), {}, False), ({}, (), {"to": "m4a"}, False),
        ({"seconds": 290.0, "bits": 24}, ("too-large",), {"to": "m4a"}, False),
        ({"seconds": 200.0, "bits": 24}, ("too-large",), {}, False),  # 16 bits with dither
        ({}, (), {"start_s": 5.0, "end_s": 40.0}, True),
    ],
)  # fmt: skip
def test_which_plans_are_lossless(
    facts: dict[str, Any], errors: tuple[str, ...], options: dict[str, Any], lossless: bool
) -> None:
    assert planned(analysis_of(**facts), *errors, **options).is_lossless == lossless


def test_a_wrong_header_is_corrected_only_without_loss() -> None:
    remuxed = planned(analysis_of(**MP3), warnings=("header-mismatch",))
    assert (remuxed.action, remuxed.edits[0].rule) == ("rewrap", "header-mismatch")
    assert planned(analysis_of(), warnings=("header-mismatch",)).is_lossless
    assert planned(analysis_of(), warnings=("header-mismatch",)).action == "convert"
    assert planned(analysis_of(codec="pcm_f32le", bits=32), warnings=("header-mismatch",)).is_lossless
    changes = ((5.0, 44_100, 2),)  # such packets cannot be copied
    assert planned(analysis_of(**MP3, changes=changes), warnings=("header-mismatch",)).action == "keep"


def test_the_suffix_of_the_output_counts_only_if_a_file_has_to_be_written() -> None:
    assert planned(analysis_of(), container="m4a").action == "keep"
    assert planned(analysis_of(**OGG), "unsupported-format", container="m4a").container == "m4a"
    # the option goes first
    assert planned(analysis_of(**OGG), "unsupported-format", container="m4a", to="mp3").container == "mp3"


def test_a_changing_stream_cannot_be_copied() -> None:
    analysis = analysis_of(**MP3, changes=((20.0, 22_050, 1),))
    assert planned(analysis, "truncated").action == "convert"


def test_what_does_not_fit_after_the_cut_is_not_copied() -> None:
    analysis = analysis_of(700.0, **MP3, size=60_000_000, probe_audio_bytes=60_000_000)
    assert planned(analysis, "too-long", "too-large").action == "convert"


def test_undecodable_packets_at_the_edge_are_left_out() -> None:
    analysis = analysis_of(60.0, **M4A, damage=(Damage(58.0, 60.0, 58.0, 60.0),))
    plan = planned(analysis, "truncated")
    assert plan.window == (0.0, 58.0)
    assert next((edit.name, edit.rule, edit.safe) for edit in plan.edits) == ("cut", "damaged", True)


def test_damage_is_cut_out_by_re_encoding() -> None:
    plan = planned(analysis_of(60.0, **M4A, damage=(Damage(12.0, 13.0, 12.0, 13.0),)), "damaged")
    assert (plan.action, plan.window) == ("convert", (19.5, 60.0))
    assert (plan.edits[0].name, plan.edits[0].rule, plan.edits[0].safe) == ("cut", "damaged", False)


def test_a_lossy_result_is_cut_shorter_than_a_wav() -> None:
    analysis = analysis_of(299.9, rate=8000)
    assert planned(analysis, "unsupported-format").window is None
    lossy = planned(analysis, "unsupported-format", to="mp3")
    assert lossy.window == (0.0, 289.5)


def test_too_long_only_by_its_padding() -> None:
    plan = planned(analysis_of(299.99, rate=8000), "too-long")
    assert plan.window is not None
    assert plan.window[1] < limits.WRITE_BELOW_S


def test_safe_edits_come_with_a_file_that_is_written_anyway() -> None:
    silence = ((0.0, 6.0), (54.0, 60.0))
    analysis = analysis_of(**FLAC, pauses=silence)
    assert names(planned(analysis, "unsupported-format", warnings=("edge-silence",))) == ["trim-silence", "convert"]
    assert planned(analysis_of(pauses=silence), warnings=("edge-silence",)).action == "keep"


def test_a_channel_out_of_phase_is_inverted_with_a_file_that_is_written_anyway() -> None:
    opposite = ChannelFacts((-20.0, -20.0), opposite=((0, 1),), correlation=-1.0)
    analysis = msgspec.structs.replace(analysis_of(**FLAC, channels=2), channels=opposite)
    plan = planned(analysis, "unsupported-format", warnings=("out-of-phase",))
    assert plan.dsp.invert
    assert names(plan) == ["fix-polarity", "convert"]
    flipped = msgspec.structs.replace(analysis, channels=ChannelFacts((-20.0, -20.0), flipped=((1.0, 2.0),)))
    assert not planned(flipped, "unsupported-format", warnings=("out-of-phase",)).dsp.invert


def test_unsafe_makes_every_edit_that_fixes_a_finding() -> None:
    pauses = ((10.0, 15.0), (30.0, 31.0))
    analysis = with_measurements(analysis_of(pauses=pauses), hum_hz=60.0)
    plan = planned(analysis, warnings=("hum", "dc-offset", "long-pause", "too-quiet"), unsafe=True)
    assert names(plan) == ["remove-dc", "notch-hum", "shorten-pauses", "loudness", "convert"]
    assert (plan.dsp.hum_hz, plan.dsp.loudness_lufs, plan.dsp.pauses) == (60.0, -20.0, ((10.5, 14.5),))
    assert [edit.name for edit in plan.edits if edit.safe] == ["convert"]


def test_a_given_loudness_takes_precedence_over_the_default() -> None:
    plan = planned(analysis_of(), warnings=("too-quiet",), unsafe=True, loudness_lufs=-26.0, limit=True)
    assert (plan.dsp.loudness_lufs, plan.dsp.limit) == (-26.0, True)


def test_only_pauses_inside_the_window_are_shortened() -> None:
    pauses = ((0.0, 4.0), (20.0, 23.0), (38.0, 45.0), (50.0, 53.0))
    plan = planned(analysis_of(pauses=pauses), start_s=0.0, end_s=40.0, edits={"shorten-pauses"})
    assert plan.dsp.pauses == ((20.5, 22.5),)


def test_a_plan_shows_the_change_of_the_size() -> None:
    plan = planned(analysis_of(60.0, rate=16_000, size=500_000), to="mp3")
    assert plan.target is not None
    assert plan.edits[-1].bytes == 60 * plan.target.bit_rate_bps // 8 - 500_000


@pytest.mark.parametrize(
    ("unfixable", "options", "hint"),
    [
        (("too-short",), {}, "export it again"), (("prompt-text-missing",), {}, "correct the text"),
        (("prompt-text-unfit", "too-short"), {}, "export it again"),
    ],
)  # fmt: skip
def test_an_error_without_a_fix_is_refused(unfixable: tuple[str, ...], options: Any, hint: str) -> None:
    with pytest.raises(CannotFix, match=f"{unfixable[0]} found") as caught:
        planned(analysis_of(), unfixable=unfixable, **options)
    assert hint in caught.value.hint


def test_a_single_reason_keeps_its_own_advice() -> None:
    report = msgspec.structs.replace(
        report_with(analysis_of()),
        findings=(
            Finding(rule="too-short", severity="error", message="4.1 s long, below the 10 s minimum: record more"),
        ),
    )
    with pytest.raises(CannotFix) as caught:
        make_plan(analysis_of(), report)
    assert (caught.value.message, caught.value.hint) == ("4.1 s long, below the 10 s minimum", "record more")


def test_a_long_prompt_clip_is_cut_only_by_hand() -> None:
    analysis = analysis_of(20.0, role="prompt")
    with pytest.raises(CannotFix):
        planned(analysis, unfixable=("prompt-too-long",))
    assert planned(analysis, unfixable=("prompt-too-long",), start_s=2.0, end_s=6.0).window == (2.0, 6.0)


def test_a_recording_that_cannot_be_read() -> None:
    unreadable = Analysis(name="take.wav", problem=NotARecording("the file is empty"))
    with pytest.raises(CannotFix, match="the file is empty") as caught:
        make_plan(unreadable, report_with(unreadable))
    assert caught.value.hint
    unknown = Analysis(name="take.wav", problem=NotExamined("this is a bug"))
    with pytest.raises(NotExamined):
        make_plan(unknown, report_with(unknown))


def test_a_recording_that_was_not_decoded() -> None:
    with pytest.raises(CannotFix, match="headers"):
        planned(analysis_of(decoded_s=None, method="headers"))


def test_the_fallback_re_encodes_in_the_same_container() -> None:
    analysis = analysis_of(700.0, **MP3)
    plan = plan_conversion(analysis, report_with(analysis, ("too-long",)), FixOptions(), "mp3")
    assert (plan.action, plan.container, names(plan)) == ("convert", "mp3", ["cut", "convert"])


def test_a_fix_that_is_impossible_is_marked_in_the_report() -> None:
    analysis = analysis_of(700.0, pauses=())
    report = report_with(analysis, ("too-long",), ("noisy",))
    marked = mark_impossible_fixes(analysis, report)
    assert (report.verdict, marked.verdict) == ("fixable", "rejected")
    assert marked.errors[0].message.endswith(
        "; onetake fix cannot help (it has no pause where it could be cut): cut it by hand at a quiet place"
    )
    assert marked.findings[-1] == report.findings[-1]
    possible = analysis_of(700.0)
    report = report_with(possible, ("too-long",))
    assert mark_impossible_fixes(possible, report) is report
