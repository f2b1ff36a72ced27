"""What README and documentation tell a user to type works as it stands there."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main

import napari_steatosis as st
from napari_steatosis.cli import app
from napari_steatosis.io.write import write

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
PAGES = [README, ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```(?P<kind>\w+)[^\n]*\n(?P<text>.*?)^```", re.M | re.S)
PROGRAM = "napari-steatosis"


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path, kind: str) -> list[str]:
    text = page.read_text(encoding="utf-8")
    return [match["text"] for match in BLOCK.finditer(text) if match["kind"] == kind]


def commands(page: Path) -> list[list[str]]:
    """Return the calls of the program in the shell blocks of a page, one word per item."""
    found = []
    for block in blocks(page, "sh"):
        for line in block.replace("\\\n", " ").splitlines():
            for command in line.split("&&"):
                words = shlex.split(command, comments=True)
                if words and Path(words[0]).name == PROGRAM:
                    found.append(words[1:])
    return found


@pytest.fixture(scope="module")
def slides(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """Drawn livers under the name that the pages use, by their side in px."""
    return {
        side: write(
            st.drawn_liver(side, side, seed=17),
            tmp_path_factory.mktemp(f"drawn-{side}") / "liver_017.ome.zarr",
        )[0]
        for side in (1024, 2048)
    }


def run_page(page: Path, slide: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    (folder / slide.name).symlink_to(slide, target_is_directory=True)
    script = folder / "page.py"
    script.write_text("\n".join(blocks(page, "python")), encoding="utf-8")
    return subprocess.run(
        [sys.executable, script.name], cwd=folder, capture_output=True, text=True, timeout=300
    )


def test_the_script_in_the_readme_measures_and_writes(
    slides: dict[int, Path], tmp_path: Path
) -> None:
    done = run_page(README, slides[2048], tmp_path)  # large enough for an interval
    assert done.returncode == 0, done.stderr
    found = re.fullmatch(r"([\d.]+) % \(95 % CI ([\d.]+) to ([\d.]+)\)\n", done.stdout)
    assert found is not None, done.stdout
    value, low, high = map(float, found.groups())
    assert 0 < low <= value <= high < 100
    for name in ("liver_017.zarr/labels/fat/.zattrs", "liver_017.html", "liver_017.geojson.gz"):
        assert (tmp_path / name).stat().st_size > 0


@pytest.mark.parametrize(
    "page", [page for page in PAGES[1:] if blocks(page, "python")], ids=name_of
)
def test_the_python_blocks_of_a_page_run_as_one_script(
    page: Path, slides: dict[int, Path], tmp_path: Path
) -> None:
    done = run_page(page, slides[1024], tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", [page for page in PAGES if commands(page)], ids=name_of)
def test_the_shell_commands_of_a_page_exist_with_their_options(page: Path) -> None:
    known = {
        name: {
            option
            for own in (command, *getattr(command, "commands", {}).values())
            for given in own.params
            for option in (*given.opts, *given.secondary_opts)
        }
        for name, command in typer.main.get_command(app).commands.items()
    }
    unknown = [
        [name, word]
        for name, *words in commands(page)
        for word in words
        if name not in known or (word.startswith("-") and word.partition("=")[0] not in known[name])
    ]
    assert unknown == []


def test_ci_runs_the_test_command_of_the_readme() -> None:
    wanted = [
        line for block in blocks(README, "sh") for line in block.splitlines() if "tox" in line
    ]
    assert len(wanted) == 1
    assert (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()[-1] == wanted[0]
