"""The pages of docs/: generated pages are up to date, links work, and settings can be pasted."""

from __future__ import annotations

import importlib.util
import re
import tomllib
from pathlib import Path

import pytest

from onetake.config.setting_definitions import SETTINGS
from onetake.render.formats import LINE_FORMS
from uploader import PROVIDERS, Storage, StorageSettings

DOCS = Path(__file__).parent.parent / "docs"


def generated() -> dict[str, str]:
    found = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    pages: dict[str, str] = module.pages()
    return pages


def test_the_generated_pages_are_up_to_date() -> None:
    for name, content in generated().items():
        assert (DOCS / name).read_text(encoding="utf-8") == content, f"run python docs/generate.py ({name})"


def test_every_link_to_a_file_works() -> None:
    for page in (*DOCS.glob("*.md"), DOCS.parent / "README.md", DOCS.parent / "CONTRIBUTING.md"):
        for link in re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8")):
            assert link.startswith("https://") or (page.parent / link).exists(), f"{page.name}: {link}"


def test_every_machine_format_is_documented() -> None:
    page = (DOCS / "ci.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)) == {"json", "jsonl", *LINE_FORMS} - {"text"}


@pytest.mark.parametrize("name", PROVIDERS)
def test_the_settings_of_each_provider_can_be_pasted(name: str) -> None:
    page = (DOCS / "storage.md").read_text(encoding="utf-8")
    (pasted,) = [
        block
        for block in map(tomllib.loads, re.findall(r"```toml\n(.*?)```", page, re.DOTALL))
        if block["provider"] == name
    ]
    assert set(pasted) <= {setting.name for setting in SETTINGS}
    region = pasted.get("region", "").replace("YOUR-REGION", "eu-west-1") or None
    storage = Storage(
        StorageSettings(
            bucket=pasted["bucket"],
            provider=name,
            endpoint=pasted.get("s3_endpoint"),
            region=region,
            access_key_id="key",
            secret_access_key="secret",
        )
    )
    assert storage.describe()["provider"] == name
