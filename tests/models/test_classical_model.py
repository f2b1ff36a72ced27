"""The classical model behind the seam of models, as every row of MODELS."""

from __future__ import annotations

import itertools
import json
import pickle
from pathlib import Path

import numpy as np
import pytest

import napari_steatosis as st
from napari_steatosis.core.dataset import ArraySource, Sample
from napari_steatosis.core.errors import BadValueError, ModelFileError
from napari_steatosis.core.model import Model
from napari_steatosis.models import WITHOUT_NETWORK, load_model, save_model
from napari_steatosis.models.classical.candidates import CandidateRule
from napari_steatosis.models.classical.model import ClassicalModel, ClassicalRule
from napari_steatosis.training.classical import Search, train_classical

torch = pytest.importorskip("torch")

SMALL = {"n_estimators": 12, "max_depth": 3}


def drawn(seed: int, side: int = 256, fat: float = 18) -> Sample:
    """Return a drawn liver whose fat is outlined."""
    source = st.drawn_liver(side, side, seed=seed, glass=False, fat_percent=fat).source
    kinds = source.white_kinds(source.bounds)
    pixels = ArraySource(source.read(0, source.bounds), (kinds == 1).astype(np.uint8))
    return Sample(f"drawn {seed}", pixels, um_per_px=0.5)


@pytest.fixture(scope="module", params=["erosion", "watershed"])
def model(request) -> ClassicalModel:
    rule = ClassicalRule(CandidateRule(saturation=0.15, separate=request.param), largest_um=24.0)
    samples = [drawn(4), drawn(5)]
    return train_classical(samples, rule=rule, search=Search(0, given=SMALL), name="small").model


@pytest.fixture
def folder(model: ClassicalModel, tmp_path: Path) -> Path:
    save_model(model, tmp_path / "small")
    return tmp_path / "small"


def liver(side: int = 128) -> np.ndarray:
    return drawn(4).image()[:side, :side]


def test_every_row_without_a_network_loads_and_is_a_model(model: ClassicalModel):
    assert list(WITHOUT_NETWORK) == ["classical"]
    assert WITHOUT_NETWORK["classical"] is ClassicalModel
    assert isinstance(model, Model)
    assert model.spec.architecture == "classical"


def test_probabilities_sum_to_one_and_are_one_value_per_candidate(model: ClassicalModel):
    tiles = np.stack([liver(), np.full((128, 128, 3), 200, np.uint8)])
    found = model.predict(tiles)
    judged = model.judge(tiles[0])
    assert found.shape == (2, 2, 128, 128)
    assert found.dtype == np.float32
    assert np.abs(found.sum(1) - 1).max() < 1e-6
    assert np.all(found[0, 1][judged.labels == 0] == 0)
    for i, probability in enumerate(judged.probabilities[:, 1], start=1):
        assert np.all(found[0, 1][judged.labels == i] == np.float32(probability))
    assert np.all(found[1, 0] == 1)  # nothing white


def test_images_of_a_batch_do_not_know_of_each_other(model: ClassicalModel):
    tiles = np.stack([liver(), liver()[::-1]])
    alone = np.concatenate([model.predict(tile[None]) for tile in tiles])
    assert np.array_equal(model.predict(tiles), alone)


def test_the_halo_holds_the_largest_droplet_and_its_neighbourhood(model: ClassicalModel):
    spec = model.spec
    assert spec.context == "halo"
    assert spec.tile_px % spec.multiple_px == spec.halo_px % spec.multiple_px == 0
    assert spec.halo_px * spec.um_per_px >= model.rule.largest_um + 48


def test_the_engine_shows_no_seams(model: ClassicalModel):
    """Tiles of any size give what the whole gives: torn tissue, vessels and droplets."""
    slide = st.drawn_liver(330, 600, seed=5, glass=False, fat_percent=20)
    step, halo = model.spec.multiple_px, model.spec.halo_px
    region = st.Region(
        y=-halo,
        x=-halo,
        height=-(-330 // step) * step + 2 * halo,
        width=-(-600 // step) * step + 2 * halo,
    )
    whole = model.predict(slide.read(region)[None])[0, 1, halo : halo + 330, halo : halo + 600]
    assert (whole >= 0.5).mean() > 0.01
    turn = itertools.count()
    found = st.segment(
        slide,
        model,
        tile_px=200,
        probabilities=True,
        focus=lambda: (0.0, float(next(turn))),
    )
    fat = np.asarray(found.probabilities[0][1]) / 255
    assert np.abs(fat - whole).max() <= 0.5 / 255 + 1e-6
    assert np.array_equal(np.asarray(found.levels[0][:]) == 2, whole >= 0.5)


def test_what_is_longer_than_the_largest_droplet_is_not_fat(model: ClassicalModel):
    rgb = np.full((160, 160, 3), (200, 90, 140), np.uint8)
    rows, columns = np.ogrid[:160, :160]
    rgb[(rows - 80) ** 2 + (columns - 80) ** 2 <= 26**2] = 242  # 26 um across
    assert model.judge(rgb).labels.max() == 1
    assert model.judge(rgb).probabilities[0].tolist() == [1, 0]


def test_it_comes_back_from_its_folder_with_the_same_digest_and_answers(model, folder: Path):
    again = load_model(folder)
    tile = liver()[None]
    assert isinstance(again, ClassicalModel)
    assert (again.spec, again.digest) == (model.spec, model.digest)
    assert np.array_equal(again.predict(tile), model.predict(tile))
    sent = pickle.loads(pickle.dumps(again))
    assert sent.digest == model.digest
    assert np.array_equal(sent.predict(tile), model.predict(tile))
    assert sorted(file.name for file in folder.iterdir()) == ["model.json", "model.safetensors"]


def test_scores_do_not_change_the_digest(model: ClassicalModel):
    assert model.with_scores({"val": {"jaccard": [0.5, 0.4, 0.6]}}).digest == model.digest


def test_one_that_is_not_on_disk_cannot_travel(model: ClassicalModel):
    with pytest.raises(BadValueError, match="Save it"):
        pickle.dumps(model)


def test_there_is_the_processor_only(folder: Path):
    for asked in ({"device": "cuda"}, {"precision": "bf16"}):
        with pytest.raises(BadValueError, match="classical model computes on the processor"):
            load_model(folder, **asked)


def test_it_is_no_network_that_could_be_exported(folder: Path, tmp_path: Path):
    with pytest.raises(BadValueError, match="only models of this"):
        st.export_model(load_model(folder), tmp_path / "net.pt", to="torchscript")


def test_pixels_of_another_kind_are_refused(model: ClassicalModel):
    side = model.spec.multiple_px * 4
    with pytest.raises(BadValueError, match="uint8"):
        model.predict(np.zeros((1, side, side, 3), np.float32))
    with pytest.raises(BadValueError, match="multiples"):
        model.predict(np.zeros((1, side, side + 1, 3), np.uint8))


@pytest.mark.parametrize("name", ["model.json", "model.safetensors"])
def test_a_damaged_file_is_named(folder: Path, name: str):
    (folder / name).write_bytes((folder / name).read_bytes()[:200])
    with pytest.raises(ModelFileError, match=name):
        load_model(folder)


def test_an_edited_rule_is_noticed(folder: Path):
    values = json.loads((folder / "model.json").read_text())
    values["spec"]["parameters"]["candidates"]["value"] = 0.5
    (folder / "model.json").write_text(json.dumps(values))
    with pytest.raises(ModelFileError, match="edited"):
        load_model(folder)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"descriptors": "strict"}, "not trained on 11 descriptors"),
        ({"learner": "svm-rbf"}, "not the numbers of 'svm-rbf'"),
        ({"learner": "oracle"}, "oracle"),
        ({"colour": 1}, "colour"),
    ],
)
def test_numbers_of_another_rule_are_refused(model, tmp_path: Path, change: dict, word: str):
    from dataclasses import replace

    spec = replace(model.spec, parameters={**model.spec.parameters, **change})
    from napari_steatosis.models._folder import write_folder

    write_folder(tmp_path / "other", spec, model.state)
    with pytest.raises(ModelFileError, match=word):
        load_model(tmp_path / "other")


def test_a_whole_slide_is_measured_like_the_truth(model: ClassicalModel):
    """On livers of the style that it was trained on; most droplets below 6 um are too hazy."""
    slide = st.drawn_liver(512, 512, seed=4, glass=False, fat_percent=15)
    report = st.measure(st.segment(slide, model))
    truth = slide.source.true_fat_percent()
    assert 0.5 * truth < report["fat_area_fraction"].value < 1.3 * truth
