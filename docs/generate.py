"""Write the pages that say what the code says: docs/rules.md, docs/settings.md and docs/storage.md.

Usage: ``python docs/generate.py``; a test holds the pages against it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from onetake.settings_table import SETTINGS
from preflight import RULES
from uploader import PROVIDERS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from preflight import Rule
    from uploader import Provider

HERE: Final = Path(__file__).parent


def main() -> None:
    """Write each page."""
    for name, content in pages().items():
        (HERE / name).write_text(content, encoding="utf-8")


def pages() -> dict[str, str]:
    """Each page by its name."""
    return {
        "rules.md": "\n".join(_rules()) + "\n",
        "settings.md": "\n".join(_settings()) + "\n",
        "storage.md": "\n".join(_storage()) + "\n",
    }


def _rules() -> Iterator[str]:
    yield "# Rules"
    yield ""
    yield "An error keeps a recording from being sent; a warning does not. `onetake rule NAME` prints the same."
    for rule in RULES.values():
        yield ""
        yield f"## {rule.name}"
        yield ""
        yield from _rule(rule)


def _rule(rule: Rule) -> Iterator[str]:
    yield f"*{rule.severity}.* {rule.what}"
    yield ""
    yield f"- **Why:** {rule.why}"
    yield f"- **Mend:** {rule.mend}"
    yield f"- **Source:** {rule.source}"
    for threshold in rule.thresholds:
        yield f"- `{threshold.name} = {threshold.value:g}`: {threshold.source}"


def _settings() -> Iterator[str]:
    yield "# Settings"
    yield ""
    yield "Highest first: flags, environment, the TOML file that `onetake config` names, defaults. Secrets have no"
    yield "flag."
    yield ""
    yield "| setting | flag | environment | what it is | default |"
    yield "|---|---|---|---|---|"
    for setting in SETTINGS:
        flag = "" if setting.secret else f"`--{setting.name.replace('_', '-')}`"
        variables = ", ".join(f"`{variable}`" for variable in setting.variables)
        default = "" if setting.default is None else f"`{setting.default}`"
        yield f"| `{setting.name}` | {flag} | {variables} | {setting.what} | {default} |"
    yield ""
    yield "`ONETAKE_CONFIG` names another TOML file, `ONETAKE_HOME` another folder for the ledger."


def _storage() -> Iterator[str]:
    yield "# Choose storage"
    yield ""
    yield "The service fetches your recording by a presigned URL, so the storage has to be reachable from the internet."
    yield "Paste one of these into the file that `onetake config` names, set the two keys in the environment"
    yield "(`ONETAKE_ACCESS_KEY_ID`, `ONETAKE_SECRET_ACCESS_KEY`), and try it with `onetake doctor`."
    yield "`onetake storage policy` prints the fewest rights that the key needs, and a rule that empties the bucket by"
    yield "itself."
    for provider in PROVIDERS.values():
        yield ""
        yield f"## {provider.title[0].upper()}{provider.title[1:]}"
        yield ""
        yield from _provider(provider)


def _provider(provider: Provider) -> Iterator[str]:
    yield "```toml"
    yield f'provider = "{provider.name}"'
    yield 'bucket = "takes-1250000000"' if provider.name == "cos" else 'bucket = "takes"'
    if provider.region is None:
        yield 'region = "YOUR-REGION"'
    elif provider.endpoint is not None and "{" in provider.endpoint:
        yield f's3_endpoint = "{provider.endpoint.format(account="ACCOUNT", host="storage.example.com")}"'
    yield "```"
    yield ""
    yield provider.notes
    yield f"Bucket names: {provider.bucket_rule}."
    yield f"[Source]({provider.source}), looked at in {provider.checked}."


if __name__ == "__main__":
    main()
