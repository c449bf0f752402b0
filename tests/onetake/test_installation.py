"""Other distributions with packages of the same names, and the versions of all components."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest

from onetake.installation import PACKAGES
from tests.support.make_audio import FIXTURES

ROOT = FIXTURES.parent
REINSTALL = "pip install --force-reinstall --no-deps onetake"


def wheel(folder: Path) -> Path:
    """A distribution that owns a package `uploader`, too."""
    path = folder / "uploader-0.5.1-py3-none-any.whl"
    info = "uploader-0.5.1.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("uploader/__init__.py", '"""Another one."""\n')
        archive.writestr("uploader/main.py", "")
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: uploader\nVersion: 0.5.1\n")
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        record = ["uploader/__init__.py,,", "uploader/main.py,,", f"{info}/METADATA,,", f"{info}/WHEEL,,"]
        archive.writestr(f"{info}/RECORD", "\n".join((*record, f"{info}/RECORD,,", "")))
    return path


def run(site: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": str(site)}
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=site, env=env, capture_output=True, text=True, check=False)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder of packages with a copy of onetake."""
    folder = tmp_path / "site"
    for package in (*PACKAGES, "onetake"):
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def test_a_package_of_another_distribution_is_named(site: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel(tmp_path)) as archive:
        archive.extractall(site)
    done = run(site, "-m", "onetake", "check", str(FIXTURES / "good.wav"))
    assert (done.returncode, done.stdout) == (2, "")
    assert "the package 'uploader' belongs to uploader 0.5.1" in done.stderr
    assert f"pip uninstall uploader && {REINSTALL}" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "source",
    [
        "import onetake",
        "from onetake import clone",
        "import sys; del sys.argv; import onetake.clones.api",
    ],
)
def test_an_import_names_a_package_of_another_distribution(source: str, site: Path, tmp_path: Path) -> None:
    assert run(site, "-c", source).returncode == 0
    with zipfile.ZipFile(wheel(tmp_path)) as archive:
        archive.extractall(site)
    done = run(site, "-c", source)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "ImportError: the package 'uploader' belongs to uploader 0.5.1, which replaces files of onetake: "
        f"pip uninstall uploader && {REINSTALL}"
    )


@pytest.mark.parametrize("name", ["onetake", "onetake.exe"])
def test_the_installed_command_reports_it_without_a_traceback(name: str, site: Path, tmp_path: Path) -> None:
    script = tmp_path / name
    script.write_text("from onetake.__main__ import main\nmain()\n")
    assert run(site, str(script), "--version").returncode == 0
    with zipfile.ZipFile(wheel(tmp_path)) as archive:
        archive.extractall(site)
    done = run(site, str(script), "check", "take.wav")
    assert done.returncode == 2
    assert "the package 'uploader' belongs to uploader 0.5.1" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_missing_package_is_named(site: Path) -> None:
    """As after the other distribution was uninstalled."""
    shutil.rmtree(site / "uploader")
    done = run(site, "-m", "onetake", "check", str(FIXTURES / "good.wav"))
    assert done.returncode == 2
    assert f"the package 'uploader' of onetake is missing\n  {REINSTALL}" in done.stderr


@pytest.mark.slow
def test_files_beside_ours_are_found_by_doctor(site: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel(tmp_path)) as archive:
        archive.extractall(site)
    shutil.copy(ROOT / "uploader" / "__init__.py", site / "uploader")  # onetake was installed after it
    done = run(site, "-m", "onetake", "doctor")
    assert done.returncode != 0
    assert "belongs to uploader 0.5.1" in done.stdout


@pytest.mark.slow
def test_an_installed_one_is_named(tmp_path: Path) -> None:
    site = tmp_path / "site"
    pip = [sys.executable, "-m", "pip", "--quiet", "install", "--no-deps", "--target", str(site)]
    subprocess.run([*pip, "--no-build-isolation", str(ROOT)], check=True)
    assert run(site, "-m", "onetake", "check", str(FIXTURES / "good.wav")).returncode == 0
    subprocess.run([*pip, "--no-index", "--upgrade", str(wheel(tmp_path))], check=True)
    done = run(site, "-m", "onetake", "check", str(FIXTURES / "good.wav"))
    assert done.returncode == 2
    assert "belongs to uploader 0.5.1" in done.stderr


@pytest.mark.parametrize("option", ["--verbose", "-v"])
def test_verbose_version_names_all_components(option: str) -> None:
    done = run(ROOT, "-m", "onetake", "--version", option)
    lines = done.stdout.splitlines()
    assert lines[0].startswith("onetake ")
    for name in ("av", "numpy", "boto3", "requests", "urllib3", "soundfile"):
        assert f"{name} {version(name)}" in lines
