"""``analyse --zones --hepatocytes``: both reach every file of a report."""

from __future__ import annotations

import json

import pandas as pd
import pytest
from typer.testing import CliRunner

import napari_steatosis as st
from napari_steatosis.cli import app
from napari_steatosis.io.write import write


@pytest.fixture(scope="module")
def liver(tmp_path_factory):
    folder = tmp_path_factory.mktemp("slides")
    return write(
        st.drawn_liver(640, 640, seed=5, fat_percent=12, glass=False), folder / "a.ome.zarr"
    )[0]


def vessels(folder, *places):
    features = []
    for name, y, x in places:
        ring = [[x, y], [x + 50, y], [x + 50, y + 50], [x, y + 50], [x, y]]
        shape = {"type": "Polygon", "coordinates": [ring]}
        known = {"objectType": "annotation", "classification": {"name": name}}
        features.append({"type": "Feature", "geometry": shape, "properties": known})
    path = folder / "vessels.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return path


def analysed(liver, out, *more, code=0):
    arguments = ["analyse", str(liver), "--out", str(out), "--json", *map(str, more)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == code, result.output
    return json.loads(result.stdout.splitlines()[-1])


def test_zones_and_nuclei_are_in_every_file(liver, tmp_path):
    drawn = vessels(tmp_path, ("portal", 60, 60), ("Central vein", 500, 500))
    said = analysed(liver, tmp_path, "--zones", drawn, "--hepatocytes", "nuclei")
    found = {one["name"]: one for one in said["measurements"]}
    assert found["hepatocytes_with_fat"]["value"] > 0
    assert found["zone_2_tissue_area"]["value"] > 0
    assert any("Fewer than 3 regions" in flag for flag in said["flags"])
    summary = pd.read_csv(tmp_path / "a_summary.csv", index_col="measurement")
    for name in ("zone_3_to_1_ratio", "zone_1_fat_area_fraction", "hepatocyte_nuclei"):
        assert summary.loc[name, "value"] == pytest.approx(found[name]["value"], rel=1e-6)
    nuclei = pd.read_csv(tmp_path / "a_hepatocytes.csv")
    assert len(nuclei) == found["hepatocyte_nuclei"]["value"]
    assert set(pd.read_csv(tmp_path / "a.csv")["zone"]) <= {0, 1, 2, 3}
    page = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert "Zones of the lobule" in page
    assert "Hepatocytes with fat, by nuclei" in page
    made = said["provenance"]["measure"]
    assert set(made["landmarks"]) == {"portal", "central"}
    assert made["nuclei"]["stain"]["threshold"] > 0


def test_a_file_without_such_classes_fails_with_what_it_holds(liver, tmp_path):
    said = analysed(liver, tmp_path, "--zones", vessels(tmp_path, ("Tumor", 9, 9)), code=1)
    assert "Classes there: Tumor" in said["error"]


def test_what_cannot_be_is_told(liver, tmp_path):
    said = analysed(liver, tmp_path, "--hepatocytes", "cells", code=1)
    assert "one of squares, nuclei, got 'cells'" in said["error"]
