"""The shipped JSON Schema matches the types, and every document is valid."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from onetake.render.json_schema import generated, published
from preflight.report import SCHEMA_VERSION
from tests.onetake.conftest import Say
from tests.support.services import FIXTURES

GOOD = str(FIXTURES / "good.wav")


@pytest.fixture
def schema(say: Say) -> dict[str, Any]:
    """The schema that the command prints, which is the one in the wheel."""
    ran = say("check", "--schema")
    assert (ran.status, ran.err) == (0, "")
    assert ran.out == published().decode()
    printed: dict[str, Any] = json.loads(ran.out)
    Draft202012Validator.check_schema(printed)
    return printed


def validator(schema: dict[str, Any], name: str | None = None) -> Draft202012Validator:
    """A validator for a whole document or one definition."""
    return Draft202012Validator({**schema, "anyOf": [{"$ref": f"#/$defs/{name}"}]} if name else schema)


def test_the_shipped_schema_is_up_to_date(schema: dict[str, Any]) -> None:
    assert schema == json.loads(generated()), "the types have changed: run make schema"
    assert schema["$defs"]["Reports"]["properties"]["schema_version"]["enum"] == [SCHEMA_VERSION]


def test_every_member_has_a_description(schema: dict[str, Any]) -> None:
    for name, definition in schema["$defs"].items():
        for member, rules in definition["properties"].items():
            assert rules.get("description"), f"{name}.{member}"
            assert "None" not in rules["description"]


@pytest.mark.parametrize("words", [(), ("--quick",), ("--profile", "strict", "--prompt", str(FIXTURES / "prompt.wav"))])
def test_documents_are_valid(say: Say, schema: dict[str, Any], words: tuple[str, ...]) -> None:
    names = sorted(str(path) for path in FIXTURES.iterdir())
    document = json.loads(say("check", *names, *words, "--format", "json").out)
    assert len(document["takes"]) == len(names) + ("--prompt" in words)
    validator(schema, "Reports").validate(document)
    validator(schema).validate(document)


def test_lines_and_failures_are_valid(say: Say, schema: dict[str, Any]) -> None:
    for line in say("check", GOOD, "gone.wav", "--format", "jsonl").out.splitlines():
        validator(schema, "Report").validate(json.loads(line))
    failure = json.loads(say("check", "--format", "json").out)
    validator(schema, "Failure").validate(failure)
    validator(schema).validate(failure)


@pytest.mark.parametrize("change", [{"verdict": "perfect"}, {"speech": [[1.0]]}, {"findings": [{}]}, {"path": None}])
def test_invalid_documents_are_refused(say: Say, schema: dict[str, Any], change: dict[str, Any]) -> None:
    document = json.loads(say("check", GOOD, "--format", "json").out)
    document["takes"][0] |= change
    with pytest.raises(ValidationError):
        validator(schema).validate(document)
