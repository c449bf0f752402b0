"""Generate docs/rules.md, docs/settings.md, docs/storage.md and docs/answers.md from the code.

Usage: ``python docs/generate.py``. A test compares the pages with its output.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from client.call_outcomes import CODES, LIMIT_CODES, REASONS, STATUSES, outcome_of
from client.retry import MOST_RETRIES
from onetake.config.setting_definitions import SETTINGS
from preflight import RULES
from uploader import PROVIDERS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from preflight import Rule
    from uploader import Provider

HERE: Final = Path(__file__).parent


def main() -> None:
    """Write all pages."""
    for name, content in pages().items():
        (HERE / name).write_text(content, encoding="utf-8")


def pages() -> dict[str, str]:
    """Return the content of each page by its file name."""
    return {
        "rules.md": "\n".join(_rules()) + "\n",
        "settings.md": "\n".join(_settings()) + "\n",
        "storage.md": "\n".join(_storage()) + "\n",
        "answers.md": "\n".join(_answers()) + "\n",
    }


def _rules() -> Iterator[str]:
    yield "# Rules"
    yield ""
    yield "A recording with an error is not sent; warnings do not block it. `onetake rule NAME` prints the same text."
    yield "Beyond the first limit of a threshold, there is a finding, and the quality is at most *fair*;"
    yield "beyond the second, it is *poor*."
    for rule in RULES.values():
        yield ""
        yield f"## {rule.name}"
        yield ""
        yield from _rule(rule)


def _rule(rule: Rule) -> Iterator[str]:
    yield f"*{rule.severity}.* {rule.what}"
    yield ""
    yield f"- **Why:** {rule.why}"
    yield f"- **Fix:** {rule.fix_hint}"
    yield f"- **Source:** {rule.source}"
    for threshold in rule.thresholds:
        yield f"- `{threshold.name} = {threshold.value:g}`: {threshold.source}"
        if threshold.poor is not None:
            yield f"    - poor {threshold.side} {threshold.poor:g}: {threshold.poor_source}"
        elif threshold.poor_source:
            yield f"    - never poor: {threshold.poor_source}"


def _settings() -> Iterator[str]:
    yield "# Settings"
    yield ""
    yield "A flag overrides the environment, which overrides the TOML file, which overrides the default."
    yield "`onetake config` shows the path of the file, and each setting with its origin. Secrets have no flag."
    yield ""
    yield "| setting | flag | environment | meaning | default |"
    yield "|---|---|---|---|---|"
    for setting in SETTINGS:
        flag = "" if setting.secret else f"`{setting.option}`"
        variables = ", ".join(f"`{variable}`" for variable in setting.variables)
        default = "" if setting.default is None else f"`{setting.default}`"
        yield f"| `{setting.name}` | {flag} | {variables} | {setting.description} | {default} |"
    yield ""
    yield "`ONETAKE_CONFIG` sets the path of the TOML file, `ONETAKE_HOME` (an absolute path) the folder of the ledger."
    yield "Settings in the file have the names in the first column."


_STORAGE_INTRODUCTION: Final = """\
# Storage

The service downloads your recording from a presigned URL, so the storage must be reachable from the internet.
Paste one of these into the file that `onetake config` shows, set the two keys in the environment
(`ONETAKE_ACCESS_KEY_ID`, `ONETAKE_SECRET_ACCESS_KEY`), and test it with `onetake doctor`.
`onetake storage policy` prints the minimum permissions that the key needs, and a lifecycle rule that deletes leftovers
in the bucket."""
_STORAGE_DETAILS: Final = """\
## Networks and company rules

| Situation | Settings |
|---|---|
| Uploads go to an internal address, as in docker or Kubernetes (`http://minio:9000`) | `s3_endpoint`: the internal \
address; `public_endpoint`: the public URL of the same storage, for which links are signed |
| This machine cannot reach the public endpoint | `link_check = "warn"`; a refusal by the storage stays an error. \
`"off"` does not check the link at all: the paid call may then fail |
| A reverse proxy in front of the storage | include its path, if any, in `s3_endpoint` \
(`https://example.com/minio`). The proxy must pass host and path on unchanged, because both are signed |
| A tenant of Ceph | `bucket = "tenant:takes"` with `provider = "custom"` |
| A domain bound to the bucket (OSS, COS) | `s3_endpoint`: that domain; and `region` |
| A policy that requires encryption | `sse = "AES256"`, or `sse = "aws:kms"` and `sse_kms_key_id`. \
The key's permissions: `onetake storage policy --sse aws:kms` |
| Object lock or another retention rule | use another bucket: onetake cannot delete the recording after the call, \
and reports that |
| A proxy | `HTTPS_PROXY` and `HTTP_PROXY`, with user name and password in the URL if required; `NO_PROXY` for the \
storage's host. boto3 does not support SOCKS. Connections to this machine never use a proxy |
| Your company's own certificate authority | `AWS_CA_BUNDLE` for uploads, `REQUESTS_CA_BUNDLE` for checking the link: \
each a file with its certificate (PEM) |
| A profile of the AWS files | `aws_profile`. Its region, role, credential process, `endpoint_url` (also of a \
`services` section), acceleration, FIPS and dual stack apply. If keys and `s3_endpoint` are set, the AWS files and \
variables are ignored, except `AWS_CA_BUNDLE` |
| Temporary keys | `ONETAKE_SESSION_TOKEN` or `AWS_SESSION_TOKEN`. Links expire with them. If their expiry is known \
(credential process, role, `AWS_CREDENTIAL_EXPIRATION`) and earlier than the link's, onetake warns |

A link that answers 404 after the upload is retried for up to 20 seconds with growing pauses. Different content is an
error; a different content type is a warning."""


def _storage() -> Iterator[str]:
    yield _STORAGE_INTRODUCTION
    for provider in PROVIDERS.values():
        yield ""
        yield f"## {provider.title[0].upper()}{provider.title[1:]}"
        yield ""
        yield from _provider(provider)
    yield ""
    yield _STORAGE_DETAILS


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
    yield f"[Source]({provider.source}), last checked in {provider.checked}."


def _answers() -> Iterator[str]:
    refusing = ", ".join(str(status) for status, outcome in STATUSES.items() if outcome == "refused")
    limits = ", ".join(map(str, sorted(LIMIT_CODES)))
    retried = f"at most {MOST_RETRIES} times"
    yield "# Answers of the service"
    yield ""
    yield "One table settles clones and speech calls: what an answer means, and whether the call is repeated."
    yield "The first row that matches applies."
    yield ""
    yield "| answer | state | repeated automatically |"
    yield "|---|---|---|"
    yield (
        "| a voice_id (speech: audio or a link) where the contract puts it, even together with an error "
        "| cloned (speech: answered), with a warning if a code or status contradicts it | no |"
    )
    yield f"| none, and the request's body was never sent | not sent | {retried} |"
    yield "| any code or reason below with the outcome *unknown* | unknown | never |"
    yield f"| HTTP 429; HTTP 200 or 4xx with one of the codes {limits} | refused, not charged | {retried} |"
    yield f"| HTTP {refusing} | refused | no |"
    yield "| HTTP 200 with a code or reason below with the outcome *refused*, and no unlisted code | refused | no |"
    yield "| anything else: 3xx, 408, 409, 425, 499, 5xx, no JSON, a truncated answer | unknown | never |"
    yield ""
    yield "A code counts only in a field for codes (`base_resp.status_code`, `code`, `error.code` and similar), as a"
    yield "number or as text, and never in prose. If a gateway repeats an HTTP status in such a field, and that status"
    yield "is not one of those above, the outcome is unknown. It is also unknown if a name that is not listed contains"
    yield "a word such as `TIMEOUT`, `INTERNAL`, `UPSTREAM` or `UNAVAILABLE`, if a field `type`, `status` or `state`"
    yield "contains such a name, or if a message quotes an answer, as JSON, whose code has the outcome *unknown*."
    yield ""
    yield "| code or reason | meaning | outcome |"
    yield "|---|---|---|"
    for name, meaning in (*CODES.items(), *REASONS.items()):
        outcome = "refused" if outcome_of(meaning) == "limit" else outcome_of(meaning)
        yield f"| `{name}` | {meaning.message} | {outcome} |"


if __name__ == "__main__":
    main()
