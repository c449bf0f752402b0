"""The JSON Schema of `onetake check --format json`, generated from the report types."""

from __future__ import annotations

import inspect
import re
from importlib.resources import files
from typing import Any, Final, Literal

import msgspec

from preflight import Report

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_DOCUMENTS: Final = "Report is one take, and with --format jsonl each line; Failure is printed when the command fails."


class Reports(msgspec.Struct, kw_only=True):
    """The reports of one run of `onetake check`.

    Attributes:
        schema_version: Incremented when a member is removed or changes its meaning, not when one is added.
        takes: The reports, in the order of the command line.
    """

    schema_version: Literal[1]
    takes: tuple[Report, ...]


class Problem(msgspec.Struct, kw_only=True):
    """Why the command failed.

    Attributes:
        kind: A stable name, e.g. usage.
        message: What happened.
        hint: What to do next; can be empty.
    """

    kind: str
    message: str
    hint: str


class Failure(msgspec.Struct, kw_only=True):
    """The document of a command that failed.

    Attributes:
        error: The reason.
    """

    error: Problem


def published() -> bytes:
    """The schema that is part of the package."""
    return files("onetake.render").joinpath("check.schema.json").read_bytes()


def generated() -> bytes:
    """Generate the schema; `make schema` writes it to its file."""
    types = (Reports, Failure)
    references, definitions = msgspec.json.schema_components(types, ref_template="#/$defs/{name}")
    for definition in definitions.values():
        _describe(definition)
    schema = {"$schema": _DIALECT, "title": "onetake check --format json", "description": _DOCUMENTS}
    document = {**schema, "anyOf": list(references), "$defs": dict(sorted(definitions.items()))}
    return msgspec.json.format(msgspec.json.encode(document), indent=1) + b"\n"


def _describe(definition: dict[str, Any]) -> None:
    """Add the descriptions of members from the ``Attributes:`` section of the class's docstring."""
    summary, _, attributes = inspect.cleandoc(definition["description"]).partition("Attributes:\n")
    definition["description"] = _plain(summary)
    for name, text in re.findall(r"^ {4}(\w+): (.*(?:\n {8}.*)*)", attributes, re.MULTILINE):
        definition["properties"][name]["description"] = _plain(text)


def _plain(text: str) -> str:
    return re.sub(r"\bNone\b", "null", re.sub(r"\s+", " ", text.replace("`", "")).strip())
