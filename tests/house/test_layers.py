"""Imports point one way, and importing the package costs nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

ROOT = Path(__file__).parents[2]
HEAVY = {"numpy", "dask", "zarr", "torch", "napari", "scipy", "skimage", "pandas", "matplotlib"}


def test_layers_of_the_house_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    code = lint_imports(config_filename="pyproject.toml", cache_dir=str(tmp_path))
    assert code == 0, capfd.readouterr().out


@pytest.mark.parametrize(
    ("statement", "without"),
    [
        ("import napari_steatosis", HEAVY),
        ("from napari_steatosis import *", HEAVY),
        ("import napari_steatosis; dir(napari_steatosis)", HEAVY),
        ("import napari_steatosis.io, napari_steatosis.models", HEAVY),
        ("import napari_steatosis.pipelines, napari_steatosis.quantify", HEAVY),
        ("import napari_steatosis.cli", HEAVY - {"numpy"}),
    ],
)
def test_importing_loads_nothing_heavy(statement: str, without: set[str]) -> None:
    code = f"{statement}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    loaded = {name.partition(".")[0] for name in json.loads(done.stdout)}
    assert "napari_steatosis" in loaded
    assert loaded & without == set()
