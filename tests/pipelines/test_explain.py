from __future__ import annotations

import numpy as np
import pytest

import napari_steatosis as st
from arrays import slide_of
from napari_steatosis.core.errors import BadValueError, UnknownNameError
from napari_steatosis.models import load_model
from napari_steatosis.models.explain import Explainer
from napari_steatosis.pipelines.explain import explain, explain_steps
from untrained import untrained_classifier


@pytest.fixture(scope="module")
def liver():
    return st.drawn_liver(700, 600, seed=3, fat_percent=15, um_per_px=0.5)


@pytest.fixture(scope="module")
def classifier(tmp_path_factory):
    return load_model(untrained_classifier(tmp_path_factory.mktemp("m")), device="cpu")


def test_a_region_lies_where_it_was_asked_for(liver):
    model = load_model("steatosis-he", device="cpu", precision="fp32")
    found = explain(liver, model, region=st.Region(y=200, x=100, height=256, width=320))
    assert found.values.shape == (256, 320)
    assert found.frame.origin_um == pytest.approx((100.0, 50.0))
    assert np.isfinite(found.values).all()
    fat = model.predict(liver.read(st.Region(y=200, x=100, height=256, width=320))[None])[0, 1]
    assert found.values[fat > 0.5].mean() > 1.5 * found.values[fat < 0.5].mean()
    assert found.provenance["class"] == "fat"


def test_one_tile_is_the_map_of_the_network(liver, classifier):
    region = st.Region(y=64, x=64, height=64, width=64)
    found = explain(liver, classifier, region=region, target="busy")
    alone = Explainer(classifier).cam(liver.read(region)[None], target=1)
    assert found.values == pytest.approx(alone.values[0] * alone.probabilities[0, 1], abs=1e-5)


def test_tiles_cover_all_without_gaps_and_say_how_far_they_are(liver, classifier):
    region = st.Region(y=500, x=480, height=200, width=140)
    steps, shares = explain_steps(liver, classifier, region=region, target="calm"), []
    while True:
        try:
            shares.append(next(steps))
        except StopIteration as end:
            found = end.value
            break
    assert found.values.shape == (200, 120)  # what lies in the slide
    assert np.isfinite(found.values).all()
    assert shares == sorted(shares)
    assert shares[-1] == 1
    assert 0 <= found.values.min() <= found.values.max() <= 1


def test_a_slide_smaller_than_a_tile(classifier):
    rgb = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
    assert explain(slide_of(rgb, 0.5), classifier).values.shape == (40, 50)


def test_bad_input(liver, classifier):
    with pytest.raises(UnknownNameError, match="calm, busy, torn"):
        explain(liver, classifier, target="fat")
    with pytest.raises(BadValueError, match="lies outside"):
        explain(liver, classifier, region=st.Region(y=900, x=0, height=64, width=64))
    with pytest.raises(BadValueError, match="no attention"):
        explain(liver, classifier, method="attention")
    huge = st.drawn_liver(20000, 20000, seed=1, um_per_px=0.5)
    with pytest.raises(BadValueError, match="too much"):
        explain(huge, classifier)
