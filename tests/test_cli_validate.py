"""``napari-steatosis validate``: what it prints, writes and returns."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner

from made_datasets import pairs, save, tissue
from napari_steatosis.cli import app


def run(*words: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["validate", *map(str, words)])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.stdout


def test_a_good_folder(tmp_path: Path) -> None:
    code, said = run(pairs(tmp_path / "set"), "--mpp", 0.5, "--out", tmp_path / "report")
    assert code == 0
    assert "with a mask    3" in said
    assert {path.suffix for path in (tmp_path / "report").iterdir()} == {".json", ".csv", ".html"}


def test_an_error_is_an_exit_code(tmp_path: Path) -> None:
    pairs(tmp_path)
    save(tmp_path / "manual" / "1001000_10.png", tissue(1, side=40)[..., 0])
    code, said = run(tmp_path, "--json")
    assert code == 1
    assert json.loads(said)["counts"]["error mask_size"] == 1


def test_the_hepass_rules(tmp_path: Path) -> None:
    code, said = run(pairs(tmp_path), "--rules", "hepass", "--json")
    assert code == 0
    values = json.loads(said)
    assert list(values) == ["valid", "invalid", "low_tissue", "no_fat_detected", "duplicates"]
    assert [row["fat_count"] > 0 for row in values["valid"]] == [True] * 3
