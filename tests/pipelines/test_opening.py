"""What is said of a path: from its header, and from a look at its colours."""

from __future__ import annotations

import json

import pytest
from PIL import Image

import napari_steatosis as st
from napari_steatosis.core.geometry import Region


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    whole = Region(y=0, x=0, height=1024, width=1024)
    file = tmp_path_factory.mktemp("opening") / "liver.png"
    rgb = st.drawn_liver(1024, 1024, seed=4, fat_percent=5).read(whole)
    Image.fromarray(rgb).save(file)
    return file


def test_the_colours_are_judged(path):
    found = st.explain_open(path)
    assert found.stain.name == "H&E"
    assert found.channel_order.name == "as expected"
    values = json.loads(json.dumps(found.to_json()))
    assert values["stain_guess"]["name"] == "H&E"
    assert "stain (guess)  H&E" in str(found)


def test_swapped_colours_are_noticed_and_put_right(path, tmp_path):
    swapped = tmp_path / "swapped.png"
    with Image.open(path) as image:
        Image.merge("RGB", image.split()[::-1]).save(swapped)
    assert st.explain_open(swapped).channel_order.name == "red and blue look swapped"
    right = st.explain_open(swapped, swap_red_blue=True)
    assert right.channel_order.name == "as expected"
    assert right.to_json()["colour"] == ["swap-red-blue"]


def test_a_report_of_a_slide_that_looks_swapped_says_so(path, tmp_path):
    swapped = tmp_path / "swapped.png"
    with Image.open(path) as image:
        Image.merge("RGB", image.split()[::-1]).save(swapped)
    asked = {"um_per_px": 0.5, "swap_red_blue": True}
    wrong = st.analyse(st.open_slide(swapped, um_per_px=0.5))
    right = st.analyse(st.open_slide(swapped, **asked))
    assert any("--swap-red-blue" in flag for flag in wrong.flags)
    assert not any("--swap-red-blue" in flag for flag in right.flags)
    assert wrong.provenance["digest"] != right.provenance["digest"]
    plain = st.analyse(st.open_slide(path, um_per_px=0.5))
    assert plain["fat_area_fraction"].value == right["fat_area_fraction"].value


def test_the_size_of_huge_outlines_is_said_before_they_are_written(path, monkeypatch, tmp_path):
    from napari_steatosis.pipelines import analyse as module

    said = []
    monkeypatch.setattr(module, "MANY_DROPLETS", 5)
    slide = st.open_slide(path, um_per_px=0.5)
    st.analyse(slide, tmp_path, on_event=lambda event: said.append(getattr(event, "text", "")))
    assert any("MB of GeoJSON before compression" in text for text in said)
