"""A classifier sees as many um per pixel in training, in evaluation and on a slide."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from arrays import slide_of
from napari_steatosis.cli import app
from napari_steatosis.core.dataset import ArraySource, Dataset, Sample
from napari_steatosis.core.errors import BadValueError
from napari_steatosis.core.geometry import Region
from napari_steatosis.core.plane import Plane
from napari_steatosis.models import load_model
from napari_steatosis.training.augment import STILL
from napari_steatosis.training.class_windows import class_chances, windows_of
from napari_steatosis.training.evaluate import evaluate, wanted_by
from napari_steatosis.training.samples import Samples
from napari_steatosis.training.train import begin_session
from training.test_evaluation import BrightIsLate
from training.trainings import QUICK, squares, trained

PERIOD_UM = 16.0
HOW = {**QUICK, "parameters": {}, "crop_px": 32, "variation": STILL}


def striped(um_per_px: float, height_um: float = 64, width_um: float = 64) -> np.ndarray:
    """Return stripes of a known width in um."""
    height, width = (round(extent / um_per_px) for extent in (height_um, width_um))
    place = (np.arange(width) + 0.5) * um_per_px
    row = np.where(place // (PERIOD_UM / 2) % 2, 220, 40).astype(np.uint8)
    return np.broadcast_to(row[None, :, None], (height, width, 3)).copy()


def period_px(image: np.ndarray) -> float:
    """Return after how many pixels the stripes of an image come back."""
    row = np.asarray(image, float).mean((0, 2))
    strength = np.abs(np.fft.rfft(row - row.mean(), 64 * len(row)))
    return 64 * len(row) / strength.argmax()


def dataset(um_per_px: float, *, whose: str = "", **extent: float) -> Dataset:
    samples = tuple(
        Sample(
            f"{label}{number}",
            ArraySource(striped(um_per_px, **extent)),
            label=label,
            patient=f"{whose}{label}{number}",
            um_per_px=um_per_px,
        )
        for number in range(2)
        for label in ("fine", "coarse")
    )
    return Dataset(samples, ("coarse", "fine"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("models") / "m"
    return trained("cnn-fc", dataset(0.5), out=out, **{**HOW, "epochs": 1}).folder


@pytest.fixture(scope="module")
def model(folder: Path):
    return load_model(folder, device="cpu")


@pytest.mark.parametrize(
    ("um_per_px", "extent"),
    [(0.5, {}), (1.0, {}), (0.5, {"width_um": 128}), (0.8, {"height_um": 96, "width_um": 128})],
)
def test_training_evaluation_and_slide_show_one_scale(um_per_px, extent, model):
    data = dataset(um_per_px, whose="o", **extent)
    session = begin_session("cnn-fc", dataset(0.5), data, None, HOW)
    assert session.scale == 2.0  # 64 um in 32 px
    crop, _ = session.batches.batch(0)
    assert period_px(crop[0].permute(1, 2, 0).numpy()) == pytest.approx(8, rel=0.03)
    assert period_px(session.validation[0].image) == pytest.approx(8, rel=0.03)

    assert (model.spec.um_per_px, model.spec.tile_px) == (2.0, 32)
    seen = Samples(data, wanted_by(model, data))[0].image
    for window in windows_of(seen, model.spec.tile_px):
        assert window.shape == (32, 32, 3)
        assert period_px(window) == pytest.approx(8, rel=0.03)
    plane = Plane.of(slide_of(striped(um_per_px, 256, 256), um_per_px), model.spec.um_per_px)
    tile = plane.read(Region(y=0, x=0, height=32, width=32))
    assert period_px(tile) == pytest.approx(8, rel=0.1)  # planes within 10 % are not resampled


def test_a_scale_that_was_asked_for_is_that_of_the_crops():
    session = begin_session("cnn-fc", dataset(0.5), None, None, {**HOW, "um_per_px": 1.0})
    assert session.scale == 1.0
    crop, _ = session.batches.batch(0)
    assert crop.shape[2:] == (32, 32)
    assert period_px(crop[0].permute(1, 2, 0).numpy()) == pytest.approx(16, rel=0.05)


def test_a_model_that_is_gone_on_from_keeps_its_scale(folder: Path):
    session = begin_session(str(folder), dataset(0.5, width_um=32), None, None, HOW)
    assert session.scale == 2.0
    assert session.training[0].image.shape == (32, 16, 3)


def test_what_a_window_does_not_cover_is_seen_by_others():
    bright, dark = (np.full((32, 48, 3), level, np.uint8) for level in (210, 60))
    model = BrightIsLate()
    image = np.concatenate([bright, dark], 1)
    assert len(windows_of(image, 32)) == 3
    (found,) = class_chances(model.predict, [image], 32)
    assert found == pytest.approx(model.predict(windows_of(image, 32)).mean(0), abs=1e-6)
    assert found[[0, 2]] == pytest.approx([1 / 3, 1 / 3], abs=1e-3)


def test_small_images_are_mirrored_on_both_sides():
    image = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
    (window,) = windows_of(image, 8)
    assert (window[2:6, 1:7] == image).all()
    assert (window[1, 1:7] == image[0]).all()


def test_images_of_unknown_size_are_said_to_be_squeezed():
    known = squares(6, classes=3, side=40)
    unknown = Dataset(
        tuple(Sample(o.name, o.source, label=o.label, patient=o.patient) for o in known),
        known.classes,
    )
    notes = evaluate(BrightIsLate(), unknown, draws=5).notes
    assert any("6 of 6 images state no pixel size" in note for note in notes)
    assert evaluate(BrightIsLate(), known, draws=5).notes == ()


def test_a_crop_that_is_no_multiple_of_the_stride_is_refused():
    with pytest.raises(BadValueError, match=r"crop_px is 40, but cnn-fc .* Take 32 or 64"):
        begin_session("cnn-fc", dataset(0.5), None, None, {**HOW, "crop_px": 40})


def test_the_pixel_size_of_the_shell_is_that_of_the_images(tmp_path: Path):
    for label in ("F0", "F4"):
        (tmp_path / "set" / label).mkdir(parents=True)
        for number in range(3):
            Image.fromarray(striped(0.5)).save(tmp_path / "set" / label / f"{label}{number}.png")
    asked = ["train", "cnn-fc", tmp_path / "set", "--out", tmp_path / "m", "--mpp", "0.5"]
    asked += ["--split", "image", "--epochs", "1", "--batch", "2", "--set", "crop_px=32"]
    done = CliRunner().invoke(app, [str(one) for one in (*asked, "--device", "cpu")])
    assert done.exit_code == 0, done.output
    assert load_model(tmp_path / "m", device="cpu").spec.um_per_px == 2.0
