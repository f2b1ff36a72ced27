"""Files fit a reader's head, functions fit a screen, and names say what is inside."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "src").rglob("*.py"))
OTHERS = sorted(
    path
    for folder in ("tests", "benchmarks")
    for path in (ROOT / folder).rglob("*.py")
    if path != Path(__file__)
)
MOST_FILE_LINES = 400
MOST_FUNCTION_LINES = 60
MOST_PARAMETERS = 6
VAGUE = {"utils", "util", "helpers", "helper", "misc", "common", "base", "manager"}
Function = ast.FunctionDef | ast.AsyncFunctionDef


def place(path: Path, node: Function | None = None) -> str:
    name = path.relative_to(ROOT).as_posix()
    return name if node is None else f"{name}:{node.lineno} {node.name}"


def functions(paths: list[Path]) -> Iterator[tuple[Path, Function]]:
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, Function):
                yield path, node


def lines_of(function: Function) -> int:
    """Count the lines of a function without its docstring."""
    assert function.end_lineno is not None
    count = function.end_lineno - function.lineno + 1
    first = function.body[0]
    if ast.get_docstring(function) is not None and first.end_lineno is not None:
        count -= first.end_lineno - first.lineno + 1
    return count


def parameters_of(function: Function) -> int:
    given = function.args
    names = [a.arg for a in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
    return len([name for name in names if name not in ("self", "cls")])


def is_command(path: Path, function: Function) -> bool:
    """Whether the parameters are the options of a shell command, which nobody passes in order."""
    return path.parent.name == "cli" and not function.name.startswith("_")


def test_there_is_something_to_check() -> None:
    assert len(SOURCES) > 20


def test_no_file_is_too_long() -> None:
    long = {
        place(path): count
        for path in SOURCES + OTHERS
        if (count := len(path.read_text(encoding="utf-8").splitlines())) > MOST_FILE_LINES
    }
    assert long == {}


def test_no_function_is_too_long() -> None:
    long = {
        place(path, node): count
        for path, node in functions(SOURCES + OTHERS)
        if (count := lines_of(node)) > MOST_FUNCTION_LINES
    }
    assert long == {}


def test_no_function_has_too_many_parameters() -> None:
    many = {
        place(path, node): count
        for path, node in functions(SOURCES)
        if (count := parameters_of(node)) > MOST_PARAMETERS and not is_command(path, node)
    }
    assert many == {}


def test_no_module_has_a_vague_name() -> None:
    vague = [
        place(path)
        for path in SOURCES + OTHERS
        if VAGUE & {part.strip("_") for part in path.relative_to(ROOT).with_suffix("").parts}
    ]
    assert vague == []


@pytest.mark.parametrize("mark", ["TODO", "FIXME", "XXX", "HACK"])
def test_no_work_is_left_as_a_note(mark: str) -> None:
    noted = [
        f"{place(path)}:{number}"
        for path in SOURCES + OTHERS
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if mark in line
    ]
    assert noted == []
