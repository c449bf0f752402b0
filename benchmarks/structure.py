"""Measure the structure of the code: sizes, comments, tests, and what one command goes through.

    python benchmarks/structure.py [--json]

Sizes and counts are static. The commands are run for real, with a profiler in the command's process and in the
worker processes that it starts, which notes each function of ours that is entered.
"""

from __future__ import annotations

import argparse
import ast
import io
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[1]
PACKAGES: Final = ("preflight", "uploader", "client", "onetake")
RATIO_FOLDERS: Final = ("preflight/fixes", "preflight/analysis", "onetake/clones")
COMMANDS: Final = {
    "check": ("check", "fixtures/good.m4a"),
    "clone --sandbox": ("clone", "fixtures/good.m4a", "--sandbox"),
}
HANDOVER: Final = re.compile(r"preflight/(isolation|worker)/.*:(Process\.give|WorkerProcess\.(run|submit))$")
"""Where the command's process hands a recording over to a worker process."""
FACTS: Final = frozenset({"duration_s", "sample_rate_hz", "channels", "codec", "container", "measurements"})
"""A class with two of these fields carries facts of a recording; so does one that holds such a class."""

PROFILER: Final = """
import os, sys, threading
_root, _out = {root!r} + os.sep, {out!r}
_seen, _frames = set(), {{}}
_file = open(_out + str(os.getpid()), "a", buffering=1)  # now: a hardened worker cannot open it later
def _own(code):
    is_function = code.co_flags & 3 == 3  # optimized, new locals: the body of a class or module has neither
    ours = code.co_filename.startswith(_root) and "/.venv/" not in code.co_filename
    return is_function and ours and not code.co_name.startswith("<")
def _profile(frame, event, _argument):
    code = frame.f_code
    if event == "call" and _own(code):
        key = code.co_filename[len(_root):].replace(os.sep, "/") + ":" + code.co_qualname
        if key not in _seen:
            _seen.add(key)
            depth = 0
            while frame is not None:
                depth += _own(frame.f_code)
                frame = frame.f_back
            _frames[key] = depth
            _file.write(key + " " + str(depth) + "\\n")
threading.setprofile(_profile)
sys.setprofile(_profile)
"""
LAUNCHER: Final = """
import subprocess, sys
_popen = subprocess.Popen.__init__
def _traced(self, args, *rest, **settings):
    args = list(args)
    if "-c" in args and args[0] == sys.executable:
        args[args.index("-c") + 1] = PROFILER + args[args.index("-c") + 1]
    _popen(self, args, *rest, **settings)
subprocess.Popen.__init__ = _traced
sys.argv[0] = "onetake"
from onetake.__main__ import main
main()
"""


def sources(*folders: str) -> list[Path]:
    """Python files below folders of the project."""
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def line_count(paths: list[Path]) -> int:
    """Lines that are not blank."""
    return sum(sum(bool(line.strip()) for line in path.read_text(encoding="utf-8").splitlines()) for path in paths)


def sizes() -> dict[str, Any]:
    """Files, lines, and how large files and functions are."""
    paths = sources(*PACKAGES)
    lengths = [len(path.read_text(encoding="utf-8").splitlines()) for path in paths]
    functions = [
        (node.end_lineno or node.lineno) - node.lineno + 1
        for path in paths
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    comments = sum(1 for path in paths for _ in comments_in(path))
    return {
        "files": len(paths),
        "lines": sum(lengths),
        "median file": round(statistics.median(lengths)),
        "largest file": max(lengths),
        "functions over 40 lines, %": round(100 * sum(length > 40 for length in functions) / len(functions), 1),
        "comments per 100 lines": round(100 * comments / line_count(paths), 1),
        "test lines per source line": round(line_count(sources("tests")) / line_count(paths), 2),
    }


def comments_in(path: Path) -> Iterator[str]:
    """Comments that explain; those for tools are left out."""
    with io.StringIO(path.read_text(encoding="utf-8")) as text:
        for token in tokenize.generate_tokens(text.readline):
            if token.type == tokenize.COMMENT and not re.match(r"#\s*(noqa|type:|fmt:|pragma)", token.string):
                yield token.string


def test_ratios() -> dict[str, float]:
    """Test lines per source line of folders whose tests mirror them."""
    return {
        folder: round(line_count(sources(f"tests/{folder}")) / max(1, line_count(sources(folder))), 2)
        for folder in RATIO_FOLDERS
        if (ROOT / folder).is_dir()
    }


def carriers() -> list[str]:
    """Classes of preflight that carry the facts of one recording."""
    fields: dict[str, dict[str, str]] = {}
    for path in sources("preflight"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                found = [part for part in node.body if isinstance(part, ast.AnnAssign)]
                fields[node.name] = {ast.unparse(part.target): ast.unparse(part.annotation) for part in found}
    carrying = {name for name, own in fields.items() if len(FACTS & set(own)) > 1}
    while True:
        holding = {
            name
            for name, own in fields.items()
            if any(set(re.findall(r"\w+", annotation)) & carrying for annotation in own.values())
        }
        if holding <= carrying:
            return sorted(carrying)
        carrying |= holding


def import_cycles() -> list[list[str]]:
    """Groups of modules that import each other when they are loaded (not in functions or for types only)."""
    graph = {module_of(path): set(imports_at_load(path)) for path in sources(*PACKAGES)}
    return [sorted(group) for group in strong_components(graph) if len(group) > 1]


def module_of(path: Path) -> str:
    """Dotted name of a file."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports_at_load(path: Path) -> Iterator[str]:
    """Modules of ours that a file imports while it is loaded."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for name in node.names:
                submodule = f"{node.module}.{name.name}"
                # a submodule of a package: as with `from package.submodule import …`, its own imports count
                is_module = (ROOT / f"{submodule.replace('.', '/')}.py").is_file()
                yield submodule if is_module else node.module


def strong_components(graph: dict[str, set[str]]) -> list[set[str]]:
    """Strongly connected components (Tarjan, "Depth-first search and linear graph algorithms", 1972)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[set[str]] = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in graph[node] & set(graph):
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            component = set(stack[stack.index(node) :])
            del stack[stack.index(node) :]
            found.append(component)

    for node in graph:
        if node not in index:
            visit(node)
    return found


def entered(arguments: tuple[str, ...]) -> dict[str, int]:
    """Files and functions of ours that a command enters, in all its processes, and frames before the handover."""
    with tempfile.TemporaryDirectory() as folder:
        profiler = PROFILER.format(root=str(ROOT), out=f"{folder}/")
        launcher = f"PROFILER = {profiler!r}\nexec(PROFILER)\n{LAUNCHER}"
        environment = {**os.environ, "ONETAKE_HOME": f"{folder}/home"}
        command = [sys.executable, "-c", launcher, *arguments]
        subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL)
        lines = [line for path in Path(folder).iterdir() if path.is_file() for line in path.read_text().splitlines()]
    depths = {key: int(depth) for key, depth in (line.rsplit(" ", 1) for line in lines)}
    handover = [depth for key, depth in depths.items() if HANDOVER.search(key)]
    return {
        "own files": len({key.partition(":")[0] for key in depths}),
        "own functions": len(depths),
        "frames before the work": min(handover, default=0),
    }


def measured() -> dict[str, Any]:
    """Everything, by name."""
    found = carriers()
    return {
        **sizes(),
        "test lines per source line, by folder": test_ratios(),
        "carriers": f"{len(found)}: {', '.join(found)}",
        "import cycles": import_cycles(),
        **{name: entered(arguments) for name, arguments in COMMANDS.items()},
    }


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print JSON")
    figures = measured()
    if parser.parse_args().json:
        print(json.dumps(figures, indent=1))
        return
    for name, value in figures.items():
        print(f"{name:<40} {value}")


if __name__ == "__main__":
    main()
