"""What is done to the colours in a run: what the model was trained with, unless asked otherwise."""

from __future__ import annotations

from dataclasses import replace

import pytest

import napari_steatosis as st
from arrays import slide_of, stained_ground
from brightness_model import BrightnessModel
from napari_steatosis.core.errors import BadValueError, UnknownNameError
from napari_steatosis.core.model import ModelSpec
from napari_steatosis.imaging import find_tissue, fit_stain, mask_of_polygons
from napari_steatosis.pipelines.normalise import normalise
from window_classifier import WindowClassifier

PLAIN = BrightnessModel()
NORMALISED = "H&E, normalised by reinhard to he"
TRAINED = BrightnessModel(spec=replace(PLAIN.spec, stain=NORMALISED))


@pytest.fixture(scope="module")
def slide():
    return slide_of(stained_ground(900, 900))


@pytest.fixture(scope="module")
def reinhard(slide):
    return fit_stain(slide, method="reinhard", tissue=find_tissue(slide))


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ("H&E, any", None),
        ("H&E, any; no normalisation", None),
        ("H&E, normalised by macenko to he", ("macenko", "he")),
        ("H&E, normalized by vahadane to my-lab.2, all tiles.", ("vahadane", "my-lab.2")),
    ],
)
def test_a_specification_says_what_it_was_trained_with(text, state):
    assert replace(PLAIN.spec, stain=text).normalisation == state
    assert ModelSpec.from_json(replace(PLAIN.spec, stain=text).to_json()).normalisation == state


def stain_of(report):
    stain = report.provenance["stain"]
    return None if stain is None else stain["method"]


def about_stain(report):
    return [flag for flag in report.flags if "was trained on images normalised" in flag]


def test_by_default_it_is_what_the_model_was_trained_with(slide, reinhard):
    as_it_is, fitted = st.analyse(slide, model=PLAIN), st.analyse(slide, model=TRAINED)
    assert stain_of(as_it_is) is None
    assert fitted.provenance["stain"] == reinhard.to_json()
    assert not about_stain(as_it_is)
    assert not about_stain(fitted)
    scripted = st.segment(slide, TRAINED, within=find_tissue(slide), stain="auto")
    assert scripted.provenance["digest"] == fitted.provenance["digest"]


def test_another_state_is_done_and_flagged(slide):
    none = st.analyse(slide, model=TRAINED, stain="none")
    assert stain_of(none) is None
    (flag,) = about_stain(none)
    assert "reinhard to 'he'" in flag
    assert "as they are" in flag
    other = st.analyse(slide, model=TRAINED, stain="macenko")
    assert stain_of(other) == "macenko"
    assert "normalised by macenko to 'he'" in about_stain(other)[0]
    asked = st.analyse(slide, model=PLAIN, stain="macenko")
    assert stain_of(asked) == "macenko"
    assert not about_stain(asked)


def test_a_part_of_a_slide_has_the_stain_of_the_whole(slide, reinhard):
    part = mask_of_polygons([[(0, 0), (0, 200), (200, 200), (200, 0)]])
    report = st.analyse(slide, model=PLAIN, region=part, stain="reinhard")
    assert report.provenance["stain"] == reinhard.to_json()


def test_a_transform_that_was_fitted_before(slide, reinhard):
    report = st.analyse(slide, model=TRAINED, stain=reinhard)
    assert report.provenance["stain"] == reinhard.to_json()
    assert not about_stain(report)


def test_a_normalised_slide_is_not_normalised_again(slide, reinhard):
    normalised = normalise(slide, reinhard)
    report = st.analyse(normalised, model=TRAINED)
    assert stain_of(report) is None
    assert report.provenance["slide"]["stain"] == reinhard.to_json()
    assert not about_stain(report)
    assert about_stain(st.analyse(normalise(slide, "macenko"), model=TRAINED))
    for stain in ("macenko", reinhard):
        with pytest.raises(BadValueError, match="normalised already"):
            st.analyse(normalised, model=PLAIN, stain=stain)


def test_what_is_suspicious_about_the_fit_is_a_flag(slide, reinhard):
    far = replace(reinhard.reference, name="far", mean=(50.0, 75.0, -10.0))
    odd = fit_stain(slide, method="reinhard", reference=far)
    assert odd.findings
    for report in (
        st.analyse(slide, model=PLAIN, stain=odd),
        st.analyse(normalise(slide, odd), model=PLAIN),
    ):
        assert set(odd.findings) <= set(report.flags)


def test_a_saved_reference_is_taken(slide, reinhard, tmp_path):
    mine = replace(reinhard.reference, name="mine")
    mine.save(tmp_path / "mine.json")
    report = st.analyse(slide, model=PLAIN, stain="reinhard", reference=tmp_path / "mine.json")
    assert report.provenance["stain"]["reference"]["name"] == "mine"
    with pytest.raises(UnknownNameError, match="mars"):
        st.analyse(slide, model=PLAIN, stain="reinhard", reference="mars")
    with pytest.raises(UnknownNameError, match="macenko"):
        st.analyse(slide, model=PLAIN, stain="maceko")


def test_a_classifier_asks_for_its_stain_too(slide, reinhard):
    plain = WindowClassifier()
    trained = replace(plain, spec=replace(plain.spec, stain=NORMALISED))
    assert st.classify(slide, plain).provenance["stain"] is None
    found = st.classify(slide, trained, stain="auto")
    assert found.provenance["stain"] == reinhard.to_json()
