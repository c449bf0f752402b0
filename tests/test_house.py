"""The arrows of the house: who may import whom, what is public, and how large a room may be."""

from __future__ import annotations

import ast
import importlib
import inspect
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("preflight", "uploader", "client", "onetake")
MAY_KNOW: dict[str, set[str]] = {
    "preflight": set(),
    "uploader": set(),
    "client": set(),
    "onetake": {"preflight", "uploader", "client"},
}
NETWORK = {"socket", "ssl", "http", "urllib", "urllib3", "requests", "boto3", "botocore", "socketserver", "ftplib"}
SOUND = {"numpy", "av", "soundfile", "pydub", "wave"}
LONGEST_FILE = 350
PUBLIC = {
    "preflight": """BadOutput BadProfile BadSpeechModel CannotFix CannotOpen CannotWrite Comparison Edit EngineMissing
        FileFacts Finding FixOptions Fixed InvalidFixOptions Joined NotARecording NotExamined
        OutputExists PROFILES PreflightError Profile PromptClip RULES Recording Report Rule
        SpeechModel check check_many compare_text cut_prompt display_name fix hear join load_profile
        plan prompt_clips recordings_in text_findings""",
    "uploader": """BadBucketName ClockSkewed CorruptStored CredentialsExpired CredentialsMissing FileChanged
        FileUnreadable Link LinkRefused NoSuchBucket NotPermitted ObjectLocked ObjectMissing PROVIDERS Provider
        RoundTrip SettingsError Storage StorageError StorageFailed StorageSettings TlsFailed Unreachable Upload
        UrlNotPublic WrongKey WrongRegion WrongSecret""",
    "client": """AudioRefused BalanceTooLow CLONE_MODELS CloneClient CloneOptions ClonedVoice DownloadFailed
        InvalidArgument KeyRefused NonsenseAnswer NotPermitted OutcomeUnknown RateLimited RequestRefused SPEECH_MODELS
        ServerFailed ServiceError ServiceUnreachable Speech SpeechRequest TextRefused VOICE_LIFETIME VoiceNotFound""",
}


def files(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def imports(path: Path) -> Iterator[str]:
    """The first part of every module that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name.partition(".")[0] for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            yield (node.module or "").partition(".")[0]


@pytest.mark.parametrize("package", PACKAGES)
def test_the_arrows(package: str) -> None:
    for path in files(package):
        strangers = set(imports(path)) & set(PACKAGES) - MAY_KNOW[package] - {package}
        assert not strangers, f"{path.relative_to(ROOT)} imports {strangers}"
        assert not set(imports(path)) & {"tests", "fixtures", "benchmarks"}, path


def test_preflight_opens_no_socket_and_the_others_know_no_sound() -> None:
    for path in files("preflight"):
        passes_files = path.name == "descriptors.py"  # through a pair of UNIX sockets, which is no network
        assert set(imports(path)) & NETWORK <= ({"socket"} if passes_files else set()), path
    for path in (*files("uploader"), *files("client")):
        assert not set(imports(path)) & SOUND, path


def test_the_listener_shares_nothing_with_the_checks() -> None:
    """The stand-in endpoint would otherwise believe what the checks believe."""
    for path in files("onetake/sandbox"):
        assert "preflight" not in set(imports(path)), path


@pytest.mark.parametrize("package", PACKAGES)
def test_rooms_are_small_and_have_a_sign_at_the_door(package: str) -> None:
    for path in files(package):
        lines = path.read_text(encoding="utf-8").splitlines()
        assert len(lines) <= LONGEST_FILE, f"{path.relative_to(ROOT)} has {len(lines)} lines"
        assert ast.get_docstring(ast.parse("\n".join(lines))), path
        assert path.stem not in {"utils", "util", "helpers", "helper", "manager", "common", "misc"}, path


@pytest.mark.parametrize("package", PUBLIC)
def test_what_is_public(package: str) -> None:
    module = importlib.import_module(package)
    assert sorted(module.__all__) == sorted(PUBLIC[package].split())
    for name in module.__all__:
        value = getattr(module, name)
        if inspect.isclass(value) or inspect.isfunction(value):
            assert value.__module__.partition(".")[0] == package
            sign = (value.__doc__ or "").strip()
            assert sign, f"{package}.{name} has no docstring"
            assert not sign.startswith(f"{name}("), f"{package}.{name} has only a generated docstring"


@pytest.mark.parametrize("package", PUBLIC)
def test_each_library_works_alone(package: str) -> None:
    others = [name for name in PACKAGES if name != package]
    script = f"import {package}, sys\n[getattr({package}, name) for name in {package}.__all__]\n"
    script += f"print([name for name in {others} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout == "[]\n"


def test_every_command_has_its_own_module_and_prints_through_console_streams() -> None:
    from onetake.cli import _COMMANDS

    modules = {path.stem for path in (ROOT / "onetake/cli/commands").glob("*.py")}
    assert modules == {"__init__", *_COMMANDS}
    for path in files("onetake"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in {"print", "click.echo", "sys.exit"}:
                assert path.name in {"streams.py", "__main__.py"}, f"{path}:{node.lineno}"


@pytest.mark.parametrize("package", PACKAGES)
def test_each_package_is_typed(package: str) -> None:
    assert (ROOT / package / "py.typed").is_file()
