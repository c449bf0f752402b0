"""The architecture: which package may import which, what is public, import cycles, and the size of files."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("preflight", "uploader", "client", "onetake")
MAY_IMPORT: dict[str, set[str]] = {
    "preflight": set(),
    "uploader": set(),
    "client": set(),
    "onetake": {"preflight", "uploader", "client"},
}
NETWORK = {"socket", "ssl", "http", "urllib", "urllib3", "requests", "boto3", "botocore", "socketserver", "ftplib"}
AUDIO = {"numpy", "av", "soundfile", "pydub", "wave"}
LONGEST_FILE = 300
PUBLIC = {
    "preflight": """BadOutput BadProfile BadSpeakerModel BadSpeechModel CannotFix CannotOpen CannotWrite
        Comparison Edit EngineMissing FileFacts Finding FixOptions Fixed InvalidFixOptions Joined NotARecording
        NotExamined
        OutputExists PROFILES PreflightError Profile PromptClip RULES Recording Report Rule
        SpeakerModel SpeechModel check check_many compare_text cut_prompt display_name fix join load_profile
        plan prompt_clips recordings_in text_findings transcribe""",
    "uploader": """BadBucketName Bucket ClockSkewed CorruptStored CredentialsExpired CredentialsMissing FileChanged
        FileUnreadable Link LinkRefused NoSuchBucket NotPermitted ObjectLocked ObjectMissing PROVIDERS Provider
        RoundTrip SettingsError Storage StorageError StorageFailed StorageSettings StoredObject TlsFailed Unreachable
        Upload UrlNotPublic WrongKey WrongRegion WrongSecret""",
    "client": """AudioRefused BalanceTooLow CLONE_MODELS CloneClient CloneOptions ClonedVoice DownloadFailed
        InvalidArgument KeyRefused NonsenseAnswer NotPermitted OutcomeUnknown RateLimited RequestRefused SPEECH_MODELS
        ServerFailed ServiceError ServiceUnreachable Speech SpeechRequest TextRefused VOICE_LIFETIME VoiceNotFound""",
}


def files(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def imports(path: Path) -> Iterator[str]:
    """Yield the top-level package of every import in a file, including those inside functions."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name.partition(".")[0] for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            yield (node.module or "").partition(".")[0]


@pytest.mark.parametrize("package", PACKAGES)
def test_libraries_import_neither_each_other_nor_the_application(package: str) -> None:
    for path in files(package):
        forbidden = set(imports(path)) & set(PACKAGES) - MAY_IMPORT[package] - {package}
        assert not forbidden, f"{path.relative_to(ROOT)} imports {forbidden}"
        assert not set(imports(path)) & {"tests", "fixtures", "benchmarks"}, path


def test_preflight_imports_no_network_module_and_the_other_libraries_no_audio_module() -> None:
    for path in files("preflight"):
        # open files pass through a UNIX socket pair, which no other process can connect to
        passes_files = path.parent.name == "worker" and path.name in {"child.py", "process.py", "worker.py"}
        assert set(imports(path)) & NETWORK <= ({"socket"} if passes_files else set()), path
    for path in (*files("uploader"), *files("client")):
        assert not set(imports(path)) & AUDIO, path


@pytest.mark.parametrize("folder", ["tests", "benchmarks", "tools", "fixtures"])
def test_other_files_are_short_too(folder: str) -> None:
    for path in files(folder):
        assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST_FILE, path


def test_the_stand_in_endpoint_does_not_use_preflight() -> None:
    """A shared decoder would make the endpoint accept every mistake of the checks."""
    for path in files("onetake/sandbox"):
        assert "preflight" not in set(imports(path)), path


@pytest.mark.parametrize("package", PACKAGES)
def test_files_are_short_documented_and_well_named(package: str) -> None:
    for path in files(package):
        lines = path.read_text(encoding="utf-8").splitlines()
        assert len(lines) <= LONGEST_FILE, f"{path.relative_to(ROOT)} has {len(lines)} lines"
        assert ast.get_docstring(ast.parse("\n".join(lines))), path
        assert path.stem not in {"utils", "util", "helpers", "helper", "manager", "common", "misc"}, path


@pytest.mark.parametrize("package", PUBLIC)
def test_public_names_are_listed_and_documented(package: str) -> None:
    module = importlib.import_module(package)
    assert sorted(module.__all__) == sorted(PUBLIC[package].split())
    for name in module.__all__:
        value = getattr(module, name)
        if inspect.isclass(value) or inspect.isfunction(value):
            assert value.__module__.partition(".")[0] == package
            docstring = (value.__doc__ or "").strip()
            assert docstring, f"{package}.{name} has no docstring"
            assert not docstring.startswith(f"{name}("), f"{package}.{name} has only a generated docstring"


def load_time_imports(body: list[ast.stmt]) -> Iterator[ast.Import | ast.ImportFrom]:
    """Yield the imports that run when a module loads: not those in functions or under TYPE_CHECKING."""
    for node in body:
        match node:
            case ast.Import() | ast.ImportFrom():
                yield node
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                continue
            case ast.If() if ast.unparse(node.test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}:
                yield from load_time_imports(node.orelse)
            case _:
                for block in ("body", "orelse", "finalbody"):
                    yield from load_time_imports(getattr(node, block, []))
                for handler in getattr(node, "handlers", []):
                    yield from load_time_imports(handler.body)


def module_graph() -> dict[str, set[str]]:
    """Return the modules of this project that each module imports when it loads.

    Importing `a.b.c` also runs `a` and `a.b`, but a submodule can be imported while its package is still loading. So
    only the modules that an import names count.
    """
    names = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for package in PACKAGES
        for path in files(package)
    }
    graph: dict[str, set[str]] = {}
    for name, path in names.items():
        found = set()
        for node in load_time_imports(ast.parse(path.read_text(encoding="utf-8")).body):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            else:
                for alias in node.names:
                    submodule = f"{node.module}.{alias.name}"
                    found.add(submodule if submodule in names else node.module or "")
        graph[name] = (found & names.keys()) - {name}
    return graph


def cycles(graph: dict[str, set[str]]) -> list[str]:
    """Return one cycle as a path, or an empty list."""
    done: set[str] = set()

    def visit(name: str, path: list[str]) -> list[str]:
        if name in path:
            return [*path[path.index(name) :], name]
        if name in done:
            return []
        for following in sorted(graph[name]):
            if found := visit(following, [*path, name]):
                return found
        done.add(name)
        return []

    return next((found for name in sorted(graph) if (found := visit(name, []))), [])


def test_modules_do_not_import_each_other_in_a_circle() -> None:
    assert not (found := cycles(module_graph())), " -> ".join(found)


def test_a_cycle_is_found() -> None:
    assert cycles({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]
    assert cycles({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


@pytest.mark.parametrize("package", PUBLIC)
def test_each_library_loads_alone(package: str) -> None:
    others = [name for name in PACKAGES if name != package]
    script = f"import {package}, sys\n[getattr({package}, name) for name in {package}.__all__]\n"
    script += f"print([name for name in {others} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout == "[]\n"


def test_every_command_has_its_own_module_and_prints_through_console_streams() -> None:
    from onetake.cli.main import COMMANDS

    modules = {path.stem for path in (ROOT / "onetake/cli/commands").glob("*.py")}
    assert modules == {"__init__", *COMMANDS}
    for path in files("onetake"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in {"print", "click.echo", "sys.exit"}:
                assert path.name in {"streams.py", "__main__.py"}, f"{path}:{node.lineno}"


@pytest.mark.parametrize("package", PACKAGES)
def test_each_package_has_type_information(package: str) -> None:
    assert (ROOT / package / "py.typed").is_file()


def hints(tree: ast.AST, classes: set[str]) -> Iterator[str]:
    """Yield the texts of hints: the argument `hint`, the second argument of an exception, and `usual_hint`."""
    for node in ast.walk(tree):
        values: list[ast.expr] = []
        if isinstance(node, ast.Call):
            values = [word.value for word in node.keywords if word.arg == "hint"]
            if isinstance(node.func, ast.Name) and node.func.id in classes:
                values += node.args[1:2]
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if node.value and any(isinstance(name, ast.Name) and "hint" in name.id.lower() for name in targets):
                values = [node.value]
        for value in values:
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                yield value.value
            elif isinstance(value, ast.JoinedStr):
                yield "".join(str(part.value) if isinstance(part, ast.Constant) else "x" for part in value.values)


@pytest.mark.parametrize("package", PACKAGES)
def test_hints_start_with_a_lower_case_letter_and_have_no_full_stop(package: str) -> None:
    modules = [importlib.import_module(f"{name}.errors") for name in PACKAGES]
    classes = {name for module in modules for name, value in vars(module).items() if inspect.isclass(value)}
    found = [text for path in files(package) for text in hints(ast.parse(path.read_text(encoding="utf-8")), classes)]
    assert len(found) > 20
    assert [text for text in found if re.match(r"[A-Z][a-z]* ?[a-z]", text) or text.endswith(".")] == []
