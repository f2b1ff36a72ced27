"""What every row of WRITERS must do; a new writer is tested from the day it is listed."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

from class_maps import crowd, drawn, on_slide
from napari_steatosis.core.errors import CannotOpenError
from napari_steatosis.core.geometry import Region
from napari_steatosis.core.prediction import Prediction
from napari_steatosis.core.snapshot import Snapshot
from napari_steatosis.io.write import WRITERS, write, written_by
from napari_steatosis.quantify import measure

MAPS = {
    "droplets": drawn(300, 400, crowd(300, 400, 60)),
    "no fat": np.ones((100, 120), np.uint8),
    "nothing analysed": np.zeros((100, 120), np.uint8),
}


@pytest.fixture(params=list(WRITERS))
def suffix(request):
    if request.param == ".pdf":
        pytest.importorskip("plutoprint")
    return request.param


def value_for(suffix, classes):
    prediction, kinds = on_slide(classes), written_by(WRITERS[suffix])
    if Snapshot in kinds:
        height, width = prediction.slide.shape
        whole = Region(y=0, x=0, height=height, width=width)
        return Snapshot(prediction.slide, whole, (prediction,), width_px=300)
    return prediction if Prediction in kinds else measure(prediction)


def prediction_in(value):
    if isinstance(value, Snapshot):
        return value.overlays[0]
    return value if isinstance(value, Prediction) else value.prediction


@pytest.mark.parametrize("classes", list(MAPS.values()), ids=list(MAPS))
def test_it_writes_what_it_says_and_nothing_else(suffix, classes, tmp_path):
    made = write(value_for(suffix, classes), tmp_path / f"slide{suffix}")
    assert all(path.exists() for path in made)
    top = {path.relative_to(tmp_path).parts[0] for path in made}
    assert {path.name for path in tmp_path.iterdir()} == top


def test_it_replaces_only_on_demand(suffix, tmp_path):
    value, path = value_for(suffix, MAPS["droplets"]), tmp_path / f"slide{suffix}"
    made = write(value, path)
    with pytest.raises(CannotOpenError, match="overwrite"):
        write(value, path)
    assert write(value, path, overwrite=True) == made


def test_a_failure_leaves_nothing_behind(suffix, tmp_path, monkeypatch):
    """The class map or table cannot be read to its end."""

    class Torn:
        shape = MAPS["droplets"].shape

        def __getitem__(self, key):
            raise OSError("the disk is gone")

    value = value_for(suffix, MAPS["droplets"])
    object.__setattr__(prediction_in(value), "levels", [Torn()])
    try:
        write(value, tmp_path / f"slide{suffix}")
    except OSError:
        assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    else:
        assert suffix in {".csv", ".parquet", ".json"}, "it needs the class map, so it must fail"


def test_its_signature_is_that_of_the_table(suffix):
    value, path, *options = inspect.signature(WRITERS[suffix]).parameters.values()
    assert [value.name, path.name, options[0].name] == ["value", "path", "overwrite"]
    assert all(option.kind is option.KEYWORD_ONLY for option in options)
    assert all(option.default is not option.empty for option in options)
