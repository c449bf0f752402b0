"""Every command and every Python block in the README and in docs/ runs and does what the text says."""

from __future__ import annotations

import importlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from onetake.config.setting_definitions import SETTINGS
from onetake.sandbox.endpoint import StandInEndpoint
from onetake.sandbox.s3_server import SandboxStorage
from tests.support.onnx_models import mel_model
from tests.support.processes import HANGS_AFTER_S
from tests.support.selection import parametrize_some
from tests.support.services import KEY, Services, services
from tests.support.speech_models import fill_cache
from uploader import PROVIDERS, Storage, StorageSettings

__all__ = ["services"]

ROOT = Path(__file__).parent.parent
PAGES = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
    if path.name != "extending.md"  # its commands need its patches: see test_extending.py
}
README = PAGES["README.md"]
_FAST = {"check", "fix"}
"""The commands of the README that `make test` runs, too; `make slow` runs all, and `make demo` clones."""
BIN = Path(sys.executable).parent


def blocks(language: str, page: str = "README.md") -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGES[page], re.MULTILINE | re.DOTALL)


def console_commands(page: str) -> list[str]:
    lines = "".join(blocks("console", page)).replace("\\\n", " ").splitlines()
    assert all(line.startswith("$ ") for line in lines)
    return [line.removeprefix("$ ") for line in lines]


PYTHON = [(page, block) for page in PAGES for block in blocks("python", page)]
COMMANDS = [(page, command) for page in PAGES for command in console_commands(page)]


def written_before(page: str, command: str) -> list[str]:
    """Return the commands of the page that write the files this one reads."""
    outs = [earlier for earlier in console_commands(page) if " -o " in earlier and earlier != command]
    return [earlier for earlier in outs if earlier.rpartition(" -o ")[2] in command.split()]


ONCE = {(command, *written_before(page, command)): (page, command) for page, command in reversed(COMMANDS)}
"""A command that is on two pages runs once, unless it reads files that other commands write."""


@pytest.fixture
def newcomer(tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """Return a folder with the fixtures and some good takes, and an environment without any settings."""
    work, home = tmp_path / "work", tmp_path / "home"
    work.mkdir()
    home.mkdir()
    (work / "fixtures").symlink_to(ROOT / "fixtures")
    (work / "takes").mkdir()
    for name in ("good.wav", "good.m4a"):
        shutil.copy(ROOT / "fixtures" / name, work / "takes")
    cache = tmp_path / "cache"
    fill_cache(cache)  # as if the speech model had been downloaded before
    path = f"{BIN}{os.pathsep}{os.defpath}"
    return work, {"PATH": path, "HOME": str(home), "MOONSHINE_VOICE_CACHE": str(cache)}


def run(command: str, folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        shell=True,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=HANGS_AFTER_S,
        check=False,
    )


@pytest.mark.parametrize(
    ("page", "command"),
    [
        pytest.param(page, line, marks=() if page == "README.md" and line.split()[1] in _FAST else pytest.mark.slow)
        for page, line in reversed(ONCE.values())
        if line[:4] != "make"
    ],
)
def test_command(page: str, command: str, newcomer: tuple[Path, dict[str, str]]) -> None:
    for earlier in written_before(page, command):
        assert run(earlier, *newcomer).returncode == 0
    done = run(command, *newcomer)
    expected = 1 if "voice-message.ogg" in command and "check" in command else 0
    assert done.returncode == expected, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout or " > " in command or (newcomer[0] / "report.html").is_file()


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
@pytest.mark.parametrize("command", [line for _, line in COMMANDS if line.startswith("make")])
def test_make_target(command: str) -> None:
    # CI runs the targets; this test checks that they exist
    done = run(f"{command} --dry-run", ROOT, dict(os.environ))
    assert done.returncode == 0, done.stderr
    assert "onetake" in done.stdout or "pytest" in done.stdout


@pytest.mark.slow
def test_real_service_block(newcomer: tuple[Path, dict[str, str]], tmp_path: Path) -> None:
    """The commands for the real service work with the settings of a sandbox, and so does the crontab line."""
    lines = "".join(blocks("sh")).splitlines()
    exports = [line.split("=")[0].removeprefix("export ") for line in lines if line.startswith("export")]
    commands = [line for line in lines if line.startswith("onetake")]
    commands += [line.split(" ", 5)[5] for line in "".join(blocks("cron")).splitlines()]
    assert len(commands) == len(lines) - len(exports) + 1
    known = {variable for setting in SETTINGS for variable in setting.variables}
    assert set(exports) <= known
    work, environment = newcomer
    shutil.copy(ROOT / "fixtures" / "good.wav", work / "take.wav")
    storage_folder = tmp_path / "storage"
    storage_folder.mkdir()
    with SandboxStorage(storage_folder) as storage, StandInEndpoint("key-of-the-test") as endpoint:
        values = {
            "ONETAKE_API_KEY": "key-of-the-test",
            "ONETAKE_PROVIDER": "seaweedfs",
            "ONETAKE_S3_ENDPOINT": storage.endpoint,
            "ONETAKE_BUCKET": storage.bucket,
            "ONETAKE_ACCESS_KEY_ID": storage.access_key_id,
            "ONETAKE_SECRET_ACCESS_KEY": storage.secret_access_key,
        }
        assert set(values) == set(exports)
        environment |= {**values, "ONETAKE_BASE_URL": endpoint.base_url}
        for command in commands:
            done = run(command, work, environment)
            assert done.returncode == 0, done.stdout + done.stderr
        assert endpoint.account()["clones_charged"] == 1


def test_the_readme_names_every_storage_preset() -> None:
    (named,) = re.findall(r"export ONETAKE_PROVIDER=\S+\s+# (.*)", README)
    assert named.split(", ") == list(PROVIDERS)


def test_the_python_example_prints_verdict_and_duration(newcomer: tuple[Path, dict[str, str]]) -> None:
    (block,) = blocks("python")
    done = run_python(block, *newcomer)
    assert done.stdout.startswith("ready 11.5")


@parametrize_some(
    ("page", "block"), PYTHON, fast=4, ids=[f"{page}-{number}" for number, (page, _) in enumerate(PYTHON)]
)
def test_python(page: str, block: str, newcomer: tuple[Path, dict[str, str]], request: pytest.FixtureRequest) -> None:
    """Each block runs on its own, with real S3 storage and the stand-in endpoint."""
    work, environment = newcomer
    shutil.copy(ROOT / "fixtures" / "good.m4a", work / "take.m4a")
    if "preflight" not in block:
        services: Services = request.getfixturevalue("services")
        keys = (services.storage.access_key_id, services.storage.secret_access_key)
        environment |= services.settings()
        environment |= dict(zip(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), keys, strict=True))
        block = with_stand_ins(block, services)
    if "campplus.onnx" in block:
        pytest.importorskip("onnxruntime")
        (work / "campplus.onnx").write_bytes(mel_model())
        for name in ("ann", "ann-again", "ben"):
            shutil.copy(ROOT / "fixtures" / "good.wav", work / f"{name}.wav")
    assert "YOUR" not in block
    assert "https://" not in block
    done = run_python(block, work, environment)
    assert done.stdout or "uploader" in block


def with_stand_ins(block: str, services: Services) -> str:
    storage, endpoint = services.storage, services.endpoint
    here = f'bucket="{storage.bucket}", provider="seaweedfs", endpoint="{storage.endpoint}", public_only=False'
    block = re.sub(r'bucket="takes", provider="r2", endpoint="[^"]*"', here, block)
    block = block.replace('"YOUR-API-KEY"', f'"{KEY}", "{endpoint.base_url}"')
    if "storage.example" in block:
        kept = Storage(
            StorageSettings(
                bucket=storage.bucket,
                provider="seaweedfs",
                endpoint=storage.endpoint,
                access_key_id=storage.access_key_id,
                secret_access_key=storage.secret_access_key,
            )
        )
        upload = kept.upload(ROOT / "fixtures" / "good.m4a", content_type="audio/mp4", suffix=".m4a")
        block = block.replace("https://storage.example/take.m4a?signature", kept.presign(upload).url)
    return block


def run_python(block: str, folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", block]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done


@pytest.mark.parametrize("package", ["preflight", "uploader", "client", "onetake"])
def test_the_docstring_of_each_package_has_an_example_from_the_library_page(package: str) -> None:
    docstring = importlib.import_module(package).__doc__ or ""
    lines = [line for line in docstring.splitlines() if line.startswith("    ") or not line]
    example = "\n".join(line.removeprefix("    ") for line in lines).strip() + "\n"
    assert example in blocks("python", "docs/library.md")


@pytest.mark.slow
def test_the_output_in_the_readme_is_that_of_make_demo(newcomer: tuple[Path, dict[str, str]]) -> None:
    (shown,) = blocks("text")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    work, environment = newcomer
    (demo,) = re.findall(r"\$\(BIN\)/(onetake clone .*)", makefile)
    printed = run("onetake check fixtures/good.m4a", work, environment).stdout
    done = run(demo.replace("$(VENV)", "."), work, environment)
    printed += done.stderr + done.stdout

    assert masked(printed) == masked(shown)


def masked(output: str) -> list[str]:
    """Remove what differs between runs: names, numbers, folders and the time zone."""
    names = re.sub(r"voice_[0-9a-f-]{36}", "VOICE", output)
    places = re.sub(r"\S*demo\.mp3", "demo.mp3", names)
    return [re.sub(r"\s+[A-Z]{3,5},", " ZONE,", re.sub(r"[\d:. -]+", "#", line)) for line in places.splitlines()]
