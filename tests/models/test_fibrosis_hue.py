from __future__ import annotations

import colorsys

import numpy as np
import pytest
import torch

import napari_steatosis as st
from arrays import slide_of
from napari_steatosis.core.errors import BadValueError, UnknownNameError
from napari_steatosis.core.model import ModelSpec
from napari_steatosis.models import build, load_model, save_model
from napari_steatosis.models._torch import TorchModel
from napari_steatosis.models.fibrosis_hue import FibrosisHue, hue_and_saturation
from napari_steatosis.quantify import measure_fibrosis

PINK, BLUE, RED = (214, 130, 170), (70, 100, 190), (190, 30, 50)


def made(**parameters):
    spec = ModelSpec(
        name="trichrome",
        architecture="fibrosis-hue",
        task="segmentation",
        classes=("tissue", "collagen"),
        um_per_px=0.5,
        tile_px=256,
        halo_px=0,
        stain="Masson trichrome",
        modality="brightfield",
        parameters=parameters,
    )
    return TorchModel(build("fibrosis-hue", **parameters), spec, device="cpu", precision="fp32")


def test_hue_and_saturation_are_those_of_the_standard_library():
    random = np.random.default_rng(0).integers(0, 256, (3, 40), np.uint8)
    random[:, 0], random[:, 1] = 128, 0
    hue, saturation = hue_and_saturation(torch.from_numpy(random).float()[None, :, None])
    for number, rgb in enumerate(random.T / 255):
        own = colorsys.rgb_to_hsv(*rgb)
        away = abs(float(hue[0, 0, 0, number]) - own[0])
        assert min(away, 1 - away) < 1e-5
        assert float(saturation[0, 0, 0, number]) == pytest.approx(own[1], abs=1e-5)


def test_a_range_through_red_is_a_range():
    found = FibrosisHue((0.9, 0.1), 0.3)(torch.tensor([PINK, BLUE, RED]).T.float()[None, :, None])
    assert (found.flatten() > 0).tolist() == [True, False, True]


def test_collagen_of_a_slide_is_measured(tmp_path):
    rgb = np.full((600, 700, 3), PINK, np.uint8)
    rgb[:, 100:240] = BLUE
    model = made(hue=[0.55, 0.75], saturation=0.2)
    save_model(model, tmp_path / "trichrome")
    prediction = st.segment(slide_of(rgb, 0.5), load_model(tmp_path / "trichrome", device="cpu"))
    report = measure_fibrosis(prediction)
    assert report["fibrosis_area_fraction"].value == pytest.approx(20)
    assert report["collagen_area"].value == pytest.approx(600 * 140 * 0.25 / 1e6)
    assert "not a stage" in report["fibrosis_area_fraction"].definition
    with pytest.raises(UnknownNameError, match="fat"):
        st.measure(prediction)
    analysed = st.analyse(slide_of(rgb, 0.5), model=str(tmp_path / "trichrome"), device="cpu")
    assert analysed["fibrosis_area_fraction"].value == pytest.approx(20, abs=1)


@pytest.mark.parametrize(
    "given", [{"hue": (0.5, 1.2)}, {"saturation": -0.1}, {"classes": 3}], ids=str
)
def test_bad_thresholds(given):
    with pytest.raises(BadValueError):
        FibrosisHue(**given)
