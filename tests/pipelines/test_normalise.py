"""A normalised slide: every level through the transform, lazily, and a slide like any other."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace

import numpy as np
import pytest

import napari_steatosis as st
from arrays import glass, slide_of, stained_ground
from brightness_model import BrightnessModel
from discs import DiscSource
from napari_steatosis.core.errors import BadValueError, UnreadableRegionError
from napari_steatosis.core.geometry import Region
from napari_steatosis.core.pyramid import dask_level
from napari_steatosis.core.snapshot import Snapshot
from napari_steatosis.imaging import fit_stain, mask_of_polygons
from napari_steatosis.pipelines.analyse import Share, Stage
from napari_steatosis.pipelines.normalise import (
    Exemplar,
    finding_reference,
    fitting,
    goal_of,
    normalise,
    sampling,
    stains_from,
)

HEIGHT, WIDTH = 1100, 1300


@pytest.fixture(scope="module")
def slide():
    return slide_of(stained_ground(HEIGHT, WIDTH))


@pytest.fixture(scope="module")
def transform(slide):
    return fit_stain(slide)


def ended(steps):
    """Return what steps gave, and what they said."""
    said = []
    while True:
        try:
            said.append(next(steps))
        except StopIteration as end:
            return end.value, said


def test_every_level_is_the_transform_of_the_same_level(slide, transform):
    normalised = normalise(slide, transform)
    assert len(normalised.levels) == len(slide.levels) > 1
    for level in range(len(slide.levels)):
        for region in (
            Region(y=30, x=40, height=200, width=150),
            Region(y=-9, x=-7, height=60, width=50),
        ):
            before = slide.read(region, level)
            after = normalised.read(region, level)
            np.testing.assert_array_equal(after, transform.apply(before))
            assert (after != before).any()


class Counting(DiscSource):
    """Counts the pixels that are read."""

    read_px = 0

    def read(self, level: int, region: Region) -> np.ndarray:
        self.read_px += region.height * region.width
        return super().read(level, region)


def test_nothing_is_read_before_it_is_looked_at(slide, transform):
    source = Counting(slide.source.pixels)
    normalised = normalise(replace(slide, source=source), transform)
    assert source.read_px == 0
    normalised.read(Region(y=0, x=0, height=10, width=20))
    assert source.read_px == 200


def test_it_travels_to_a_worker(slide, transform):
    normalised = normalise(slide, transform)
    there = pickle.loads(pickle.dumps(normalised))
    region = Region(y=5, x=6, height=70, width=80)
    np.testing.assert_array_equal(there.read(region), normalised.read(region))
    assert there.stain == transform


def test_it_says_what_was_done_and_is_another_input(slide, transform):
    swapped = replace(slide, colour=("swap-red-blue",))
    first = normalise(swapped, transform)
    assert first.colour[0] == "swap-red-blue"
    assert first.colour[1].startswith("stain-macenko-")
    other = normalise(swapped, "reinhard")
    assert other.stain.name == "reinhard"
    assert other.colour[1] != first.colour[1]
    names = {dask_level(one).name for one in (slide, swapped, first, other)}
    assert len(names) == 4


def test_a_segmentation_of_it_states_the_stain(slide, transform):
    normalised, model = normalise(slide, transform), BrightnessModel(cut=170.0)
    plain, on_it = st.segment(slide, model), st.segment(normalised, model)
    stated = on_it.provenance["slide"]["stain"]
    assert json.loads(json.dumps(stated)) == json.loads(json.dumps(transform.to_json()))
    assert plain.provenance["slide"]["stain"] is None
    assert plain.provenance["digest"] != on_it.provenance["digest"]
    in_the_run = st.segment(slide, model, stain=transform)
    before, inside, on = (np.asarray(one.levels[0][:]) for one in (plain, in_the_run, on_it))
    np.testing.assert_array_equal(inside, on)
    assert (before != on).any()


@pytest.mark.parametrize("name", ["out.ome.zarr", "out.ome.tif"])
def test_it_is_written_like_any_slide(slide, transform, tmp_path, name):
    normalised = normalise(slide, transform)
    st.write(normalised, tmp_path / name)
    opened = st.open_slide(tmp_path / name)
    whole = Region(y=0, x=0, height=HEIGHT, width=WIDTH)
    np.testing.assert_array_equal(opened.read(whole), transform.apply(slide.source.pixels))
    assert opened.um_per_px == slide.um_per_px


def test_a_picture_of_it_has_its_colours(slide, transform, tmp_path):
    view = Region(y=0, x=0, height=300, width=300)
    for name, one in (("before", slide), ("after", normalise(slide, transform))):
        st.write(Snapshot(one, view, width_px=600), tmp_path / f"{name}.png")
    assert (tmp_path / "before.png").read_bytes() != (tmp_path / "after.png").read_bytes()


def test_a_damaged_place_is_named_once(slide, transform):
    damaged = Region(y=100, x=100, height=5, width=5)
    broken = replace(slide, source=DiscSource(slide.source.pixels, damaged))
    with pytest.raises(UnreadableRegionError) as error:
        normalise(broken, transform).read(Region(y=90, x=90, height=50, width=50))
    assert str(error.value).count("cannot be read") == 1
    assert "truncated strip" in str(error.value)


def test_nothing_is_normalised_twice(slide, transform):
    with pytest.raises(BadValueError, match="normalised already \\(macenko to 'he'\\)"):
        normalise(normalise(slide, transform), "reinhard")
    with pytest.raises(BadValueError, match="no seed"):
        normalise(slide, transform, seed=3)


def test_fitting_says_what_it_does_and_gives_what_fit_stain_gives(slide, transform):
    found, said = ended(fitting(slide, method="macenko"))
    assert found == transform
    assert [one.text for one in said if isinstance(one, Stage)] == [
        "Finding tissue",
        "Sampling its colours",
        "Fitting macenko",
    ]
    assert all(isinstance(one, Stage | Share) for one in said)


def test_one_sample_serves_every_method(slide, transform):
    sample, _ = ended(sampling(slide))
    found, said = ended(fitting(slide, method="macenko", sample=sample))
    assert found == transform
    assert [one.text for one in said] == ["Fitting macenko"]
    other, _ = ended(fitting(slide, method="reinhard", sample=sample))
    assert other == fit_stain(slide, method="reinhard")


def test_stains_given_by_hand(slide):
    published, _ = ended(fitting(slide, method="matrix", stains="H&E"))
    typed, _ = ended(fitting(slide, method="matrix", stains="0.65 0.70 0.29; 0.07 0.99 0.11"))
    np.testing.assert_allclose(typed.stains, published.stains)
    with pytest.raises(BadValueError, match="has 5"):
        stains_from("1 2 3 4 5")


def test_the_colours_of_a_part_are_a_reference(slide, tmp_path):
    blue = np.clip(slide.source.pixels[:, :600].astype(int) - (40, 0, 0), 0, 255).astype(np.uint8)
    other = slide_of(np.concatenate([blue, glass(HEIGHT, 100), slide.source.pixels], axis=1))
    part = mask_of_polygons([[(0, 0), (0, 280), (500, 280), (500, 0)]])  # um
    whole, _ = ended(finding_reference(Exemplar(other)))
    left, said = ended(finding_reference(Exemplar(other, part, "left")))
    assert left.name == "left"
    assert whole.name == "array"
    assert left.mean[1] < whole.mean[1] - 1  # less red
    assert "reference" in said[0].text
    fitted, _ = ended(fitting(slide, method="reinhard", reference=Exemplar(other, part, "left")))
    assert fitted.reference == left
    nowhere = mask_of_polygons([[(9000, 0), (9000, 280), (9500, 280)]])
    with pytest.raises(BadValueError, match="tissue"):
        ended(finding_reference(Exemplar(other, nowhere)))


def test_a_text_names_a_reference(slide, tmp_path):
    assert goal_of("he") == "he"
    assert goal_of("mars") == "mars"
    assert goal_of(tmp_path / "mine.json") == tmp_path / "mine.json"
    st.write(slide, tmp_path / "other.ome.tif")
    found = goal_of(tmp_path / "other.ome.tif")
    assert found.slide.shape == (HEIGHT, WIDTH)


GROUND = stained_ground(500, 500)


@pytest.mark.parametrize(
    ("pixels", "said"),
    [
        (glass(500, 500), "tissue"),
        (np.repeat(GROUND[..., :1], 3, axis=2), "tissue"),
        (np.zeros_like(GROUND), "dark"),
        (np.maximum(GROUND.astype(int) - 180, 0).astype(np.uint8) // 4, "tissue|dark|stain"),
    ],
    ids=["glass", "grey", "black", "fluorescence"],
)
def test_what_has_no_stain_is_refused_in_words(pixels, said):
    with pytest.raises(BadValueError, match=said):
        ended(fitting(slide_of(pixels), method="macenko"))


def test_without_a_pixel_size_it_says_how_to_give_one():
    with pytest.raises(st.SteatosisError, match="--mpp"):
        ended(fitting(slide_of(GROUND, None), method="macenko"))
