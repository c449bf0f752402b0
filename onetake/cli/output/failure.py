"""Print a failed command: a message on standard error, and a document if a machine reads standard output."""

from __future__ import annotations

from itertools import pairwise, takewhile
from typing import TYPE_CHECKING, Final

import click

from onetake.console.streams import print_json, print_line, print_stderr
from onetake.console.terminal import safe
from onetake.io.paths import exists

if TYPE_CHECKING:
    from collections.abc import Sequence

    from onetake.errors import Failure

_MAX_DETAILS: Final = 20
"""Detail lines on standard error; a JSON document has all of them."""


def print_failure(failure: Failure) -> None:
    """Print the message, details and hint on standard error."""
    details = failure.details[:_MAX_DETAILS]
    more = len(failure.details) - len(details)
    adds_service_message = failure.service_message and failure.service_message not in failure.message
    lines = [
        *map(safe, details),
        *([f"the service says: {safe(failure.service_message)}"] if adds_service_message else []),
        *([f"trace id, for the service's support: {safe(failure.trace_id)}"] if failure.trace_id else []),
        *([f"and {more} more"] if more else []),
        *([safe(failure.hint)] if failure.hint else []),
    ]
    head = f"{click.style('onetake:', fg='red', bold=True)} {safe(failure.message)}"
    print_stderr("\n  ".join([head, *lines]))


def requested_format(arguments: Sequence[str]) -> str | None:
    """The machine-readable format that a command line requests; None for text.

    It is found without parsing, because the failure may be that the command line cannot be parsed.
    """
    from onetake.render.formats import LINE_FORMS

    words = [*takewhile(lambda word: word != "--", arguments), ""]
    for word, following in pairwise(words):
        option, _, form = word.partition("=")
        if option == "--json":  # also with a value, which is the failure
            return "json"
        if option == "--format" and (form or following) in {"json", "jsonl", *LINE_FORMS}:
            return form or following
    return None


def name_of_file(option: str, arguments: Sequence[str]) -> str | None:
    """The argument whose letter or name click takes for the unknown `option`, if it can be the name of a file."""
    for word in takewhile(lambda word: word != "--", arguments):
        is_letters = len(word) > 2 and word[0] == "-" != word[1] and option[1:] in word[1:]
        if is_letters or (word == option and exists(word)):
            return word
    return None


def print_failure_document(failure: Failure, form: str) -> None:
    """Print a failure on standard output in a format of `requested_format`."""
    from onetake.render.formats import LINE_FORMS, form_called

    if form in LINE_FORMS:
        for line in form_called(form).failure(failure):
            print_line(line)
    else:
        from onetake.render.outcomes import error_fields

        print_json({"schema_version": 1, "error": error_fields(failure)}, in_one_line=form == "jsonl")
