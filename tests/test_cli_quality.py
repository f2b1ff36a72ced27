"""``napari-steatosis quality``: a table for people, JSON for programs, and an exit code."""

from __future__ import annotations

import json

import numpy as np
from PIL import Image
from typer.testing import CliRunner

from damaged_liver import blurred, drawn
from napari_steatosis.cli import app


def said(*arguments, code=0):
    result = CliRunner().invoke(app, ["quality", *map(str, arguments)], env={"COLUMNS": "160"})
    assert result.exit_code == code, (result.output, result.exception)
    return result


def test_a_table_and_json(tmp_path):
    sharp, soft = tmp_path / "sharp.png", tmp_path / "soft.png"
    pixels = drawn(512, 512, seed=3)
    Image.fromarray(pixels).save(sharp)
    Image.fromarray(blurred(pixels, 6)).save(soft)
    text = said(sharp, soft, "--mpp", 0.5).stdout
    assert text.index("sharp.png") < text.index("soft.png")
    assert "Out of focus" in text
    one, other = map(json.loads, said(sharp, soft, "--mpp", 0.5, "--json").stdout.splitlines())
    assert [flag for flag in one["flags"] if "Little tissue" not in flag] == []
    assert any("Out of focus" in flag for flag in other["flags"])
    assert {row["verdict"] for row in one["aspects"]} <= {"good", "flagged", "not judged"}


def test_a_file_that_does_not_open_is_told_and_the_others_are_judged(tmp_path):
    good = tmp_path / "good.png"
    Image.fromarray(np.full((64, 64, 3), 255, np.uint8)).save(good)
    result = said(tmp_path / "gone.svs", good, "--json", code=1)
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert "no such file" in lines[0]["error"]
    assert "white all over" in lines[1]["flags"][0]
