"""The JSON Schema of what `check --format json` prints, made from the types of the reports."""

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
    """What `check` found out about some takes.

    Attributes:
        schema_version: Raised when a member changes its meaning or goes; members may be added without.
        takes: In the order in which they were named.
    """

    schema_version: Literal[1]
    takes: tuple[Report, ...]


class Problem(msgspec.Struct, kw_only=True):
    """Why the command failed.

    Attributes:
        kind: A stable name, e.g. usage.
        message: What happened.
        hint: What to do next; may be empty.
    """

    kind: str
    message: str
    hint: str


class Failure(msgspec.Struct, kw_only=True):
    """The command failed before it could answer.

    Attributes:
        error: Why.
    """

    error: Problem


def published() -> bytes:
    """The schema, as it is shipped."""
    return files("onetake.render").joinpath("check.schema.json").read_bytes()


def generated() -> bytes:
    """The schema, made anew; `make schema` puts it into its file."""
    types = (Reports, Failure)
    references, definitions = msgspec.json.schema_components(types, ref_template="#/$defs/{name}")
    for definition in definitions.values():
        _describe(definition)
    schema = {"$schema": _DIALECT, "title": "onetake check --format json", "description": _DOCUMENTS}
    document = {**schema, "anyOf": list(references), "$defs": dict(sorted(definitions.items()))}
    return msgspec.json.format(msgspec.json.encode(document), indent=1) + b"\n"


def _describe(definition: dict[str, Any]) -> None:
    """Give each member the line that the docstring of its class has for it."""
    summary, _, attributes = inspect.cleandoc(definition["description"]).partition("Attributes:\n")
    definition["description"] = _plain(summary)
    for name, text in re.findall(r"^ {4}(\w+): (.*(?:\n {8}.*)*)", attributes, re.MULTILINE):
        definition["properties"][name]["description"] = _plain(text)


def _plain(text: str) -> str:
    return re.sub(r"\bNone\b", "null", re.sub(r"\s+", " ", text.replace("`", "")).strip())
