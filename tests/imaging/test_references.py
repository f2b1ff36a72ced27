"""References: measured, saved, read back, chosen; and what is none is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from arrays import glass, slide_of, stained_ground
from napari_steatosis.core.errors import BadValueError, CannotOpenError, UnknownNameError
from napari_steatosis.core.geometry import Region
from napari_steatosis.core.mask import Mask
from napari_steatosis.core.slide import Slide
from napari_steatosis.imaging import drawn_liver
from napari_steatosis.imaging.optics import optical_density, rgb_of_density
from napari_steatosis.imaging.reference_slides import most_typical, reference_of
from napari_steatosis.imaging.references import REFERENCES, Reference, reference_from
from napari_steatosis.imaging.stain import STAINS, fit_stain


def stronger(times: float, seed: int = 0) -> Slide:
    """Stained ground with more or less stain."""
    pixels = stained_ground(600, 600, seed)
    return slide_of(rgb_of_density(optical_density(pixels) * times))


@pytest.mark.parametrize("name", REFERENCES)
def test_a_built_in_reference_is_whole(name: str, tmp_path: Path) -> None:
    one = REFERENCES[name]
    assert one.name == name
    assert one.stains[0][0] > one.stains[1][0]  # haematoxylin absorbs more red
    for stains in (one.stains, one.as_sparse().stains):
        assert np.linalg.norm(stains, axis=1) == pytest.approx(1, abs=1e-3)
    assert Reference.open(one.save(tmp_path / "one.json")) == one


def test_a_slide_fitted_to_itself_stays_as_it_is() -> None:
    slide = drawn_liver(512, 512, seed=1)
    own = reference_of(slide)
    pixels = slide.read(Region(y=0, x=0, height=400, width=400))
    for method in ("macenko", "vahadane", "reinhard"):
        fitted = fit_stain(slide, method=method, reference=own)
        assert np.abs(fitted.apply(pixels).astype(int) - pixels).mean() < 3, method
    assert own.name


def test_a_part_of_a_slide_as_reference() -> None:
    both = np.concatenate([stronger(0.6).source.pixels, stained_ground(600, 600)])  # type: ignore[attr-defined]
    slide = slide_of(both)
    values = np.zeros((150, 75), bool)
    values[5:70, 5:70] = True
    pale = reference_of(slide, tissue=Mask(values, slide.frame().coarser(8)), name="pale half")
    strong = reference_of(slide, tissue=Mask(values[::-1], slide.frame().coarser(8)))
    assert pale.name == "pale half"
    assert np.divide(pale.concentrations, strong.concentrations) == pytest.approx(0.6, rel=0.1)


def test_the_most_typical_slide_is_the_one_in_the_middle() -> None:
    slides = [stronger(0.5), stronger(0.95), stronger(1.3), slide_of(glass(600, 600))]
    assert most_typical(slides) is slides[1]
    with pytest.raises(BadValueError, match=r"No slide of 1 can be a reference: .*no stained"):
        most_typical(slides[3:])
    with pytest.raises(BadValueError, match="No slide of 0"):
        most_typical([])


def test_a_reference_by_name_by_path_and_itself(tmp_path: Path) -> None:
    path = replace(REFERENCES["he"], name="ours").save(tmp_path / "ours.json")
    slide = stronger(1.0)
    for given in (path, str(path), Reference.open(path)):
        assert fit_stain(slide, reference=given).reference.name == "ours"  # type: ignore[attr-defined]
    assert reference_from("he") is REFERENCES["he"]


def test_a_reference_without_sparse_vectors_is_refused_by_that_method() -> None:
    bare = replace(REFERENCES["he"], sparse_stains=None, sparse_concentrations=None)
    with pytest.raises(BadValueError, match="no stain vectors of method 'vahadane'"):
        fit_stain(stronger(1.0), method="vahadane", reference=bare)
    assert STAINS["macenko"]  # which has no use for them
    fit_stain(stronger(1.0), reference=bare)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"stain_reference": 2}, "another version"),
        ({"stains": [[1, 0, 0]]}, "another length"),
        ({"spread": [1.0, 2.0, 0.0]}, "not positive"),
        ({"mean": [1.0, "a", 2.0]}, "not a stain reference"),
        ({"mean": [1.0, float("nan"), 2.0]}, "not finite"),
        ({"colour": 1}, "not a stain reference"),
    ],
)
def test_what_is_no_reference_is_refused(
    change: dict[str, object], message: str, tmp_path: Path
) -> None:
    path = REFERENCES["he"].save(tmp_path / "one.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(BadValueError, match=message):
        Reference.open(path)


def test_files_that_cannot_be_read_or_written(tmp_path: Path) -> None:
    with pytest.raises(CannotOpenError, match=r"none\.json: cannot be read"):
        fit_stain(stronger(1.0), reference="none.json")
    taken = tmp_path / "file"
    taken.write_text("")
    with pytest.raises(CannotOpenError, match="cannot be written"):
        REFERENCES["he"].save(taken / "he.json")  # a file stands where a folder should
    (tmp_path / "text.json").write_text("hello")
    with pytest.raises(BadValueError, match="not JSON"):
        Reference.open(tmp_path / "text.json")
    with pytest.raises(UnknownNameError, match=r"ends in \.json"):
        reference_from("ours")
