from __future__ import annotations

import pytest

from napari_steatosis.core.errors import BadValueError, CannotOpenError, UnknownNameError
from napari_steatosis.core.replacing import replacing
from napari_steatosis.core.report import Measurement, Report
from napari_steatosis.io.write import WRITERS, write, written_by

REPORT = Report("slide", (Measurement("fat_area", 0.25, "mm^2", "Area of fat."),))


def test_an_unknown_suffix_names_the_known_ones(tmp_path):
    with pytest.raises(UnknownNameError, match=r"slide\.xlsx.*\.csv.*\.geojson"):
        write(REPORT, tmp_path / "slide.xlsx")


def test_a_value_that_does_not_fit_names_what_does(tmp_path):
    with pytest.raises(BadValueError, match=r"not a Report.*\.csv, \.parquet, \.json"):
        write(REPORT, tmp_path / "slide.zarr")
    with pytest.raises(BadValueError, match="nothing"):
        write("a text", tmp_path / "slide.json")
    assert list(tmp_path.iterdir()) == []


def test_suffixes_are_found_in_any_case_and_with_other_dots(tmp_path):
    assert write(REPORT, tmp_path / "slide.v2.JSON") == [tmp_path / "slide.v2.JSON"]


def test_what_is_there_is_replaced_only_on_demand(tmp_path):
    path = tmp_path / "deep" / "slide.json"
    write(REPORT, path)
    path.write_text("mine")
    with pytest.raises(CannotOpenError, match="overwrite=True"):
        write(REPORT, path)
    assert path.read_text() == "mine"
    write(REPORT, path, overwrite=True)
    assert "fat_area" in path.read_text()
    assert [one.name for one in path.parent.iterdir()] == ["slide.json"]


def test_what_fails_half_way_leaves_nothing_and_keeps_the_old(tmp_path):
    path = tmp_path / "slide.json"
    path.write_text("old")

    def fail_half_way() -> None:
        with replacing(path, overwrite=True) as part:
            part.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_half_way()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_is_replaced_as_a_whole(tmp_path):
    path = tmp_path / "folder"
    path.mkdir()
    (path / "old").touch()
    with replacing(path, overwrite=True) as part:
        part.mkdir()
        (part / "new").touch()
    assert [one.name for one in path.iterdir()] == ["new"]
    assert list(tmp_path.iterdir()) == [path]


def test_each_writer_says_what_it_writes():
    names = {kind.__name__ for suffix in WRITERS for kind in written_by(WRITERS[suffix])}
    assert names >= {"Report", "Reports", "Prediction", "Slide", "LabelImage", "Snapshot"}
