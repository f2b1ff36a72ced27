"""What every row of MODEL_FORMATS and EXPORTS keeps, from the day on which it is listed."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

import napari_steatosis as st
from napari_steatosis.core.errors import BadValueError, ModelFileError, UnknownNameError
from napari_steatosis.core.model import Model
from napari_steatosis.models import EXPORTS, MODEL_FORMATS, MODELS, build, export_model, load_model

torch = pytest.importorskip("torch")

NAMES = {"torchscript": "model.pt", "onnx": "model.onnx", "bioimageio": "model.zip"}
WEIGHTS = {"wsinfer": "torchscript_model.pt"}
"""The file with the weights, where a format is a folder."""

PACKAGES = {"onnx": ("onnx", "onnxruntime", "onnxscript"), "bioimageio": ("bioimageio.core",)}


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(2).integers(0, 256, (*shape, 3), dtype=np.uint8)


@pytest.fixture(scope="module", autouse=True)
def listed():
    from tiny_classifier import ROW

    MODELS._rows.update(ROW)
    yield
    for name in ROW:
        del MODELS._rows[name]


def small_network() -> Model:
    from napari_steatosis.core.model import ModelSpec
    from napari_steatosis.models._torch import TorchModel

    torch.manual_seed(0)
    small = {"channels": [8, 16], "down": [1, 1], "up": [1]}
    spec = ModelSpec(
        name="small network",
        architecture="droplet-net",
        task="segmentation",
        classes=("tissue", "fat"),
        um_per_px=0.5,
        tile_px=64,
        halo_px=32,
        multiple_px=4,
        threshold=0.4,
        licence="ours",
        parameters=small,
    )
    return TorchModel(build("droplet-net", **small), spec, device="cpu", precision="fp32")


def models_for(name: str) -> list[Model]:
    from tiny_classifier import classifier

    some = classifier("none", "some", "much")
    return [some, classifier("healthy", "fatty")] if name == "wsinfer" else [small_network(), some]


def exported_to(folder: Path, name: str, model: Model) -> Path:
    for package in PACKAGES.get(name, ()):
        pytest.importorskip(package)
    return export_model(model, folder / NAMES.get(name, "model"), to=name)


@pytest.fixture(scope="module", params=list(EXPORTS))
def name(request):
    return request.param


@pytest.fixture(scope="module")
def pairs(name: str, tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Model, Path]]:
    """Each model that the format holds, and where it was exported to."""
    return [
        (model, exported_to(tmp_path_factory.mktemp(f"{name}-{i}"), name, model))
        for i, model in enumerate(models_for(name))
    ]


@pytest.fixture
def copy(pairs, tmp_path: Path) -> Path:
    """A copy of an exported model, sidecar included, to be spoilt."""
    import shutil

    path = pairs[0][1]
    for item in path.parent.iterdir():
        target = tmp_path / item.name
        shutil.copytree(item, target) if item.is_dir() else shutil.copyfile(item, target)
    return tmp_path / path.name


def weights_of(name: str, path: Path) -> Path:
    return path / WEIGHTS[name] if name in WEIGHTS else path


def test_every_format_is_opened_and_written() -> None:
    assert list(MODEL_FORMATS) == list(EXPORTS)


def test_what_is_exported_opens_and_gives_equal_outputs(pairs) -> None:
    for model, path in pairs:
        again = load_model(path, device="cpu")
        assert isinstance(again, Model)
        side = model.spec.tile_px + 2 * model.spec.halo_px
        whole = noise(3, side, side)
        sizes = [whole, whole[:1]]
        if model.spec.task == "segmentation":
            sizes += [whole[:, : side // 2], whole[:2, :, :20]]
        for tiles in sizes:
            found, wanted = again.predict(tiles), model.predict(tiles)
            assert found.shape == wanted.shape
            assert found.dtype == np.float32
            assert np.abs(found - wanted).max() < 1e-5
            assert np.abs(found.sum(1) - 1).max() < 1e-6


def test_the_specification_survives(pairs, name: str) -> None:
    for model, path in pairs:
        found, wanted = load_model(path, device="cpu").spec, model.spec
        for key in ("task", "classes", "um_per_px", "tile_px", "halo_px", "multiple_px"):
            assert getattr(found, key) == getattr(wanted, key)
        assert found.architecture == name
        if name != "wsinfer":  # its folders have no place for more
            assert (found.name, found.threshold) == (wanted.name, wanted.threshold)
            assert (found.context, found.licence) == (wanted.context, wanted.licence)


def test_a_pickle_is_small_and_loads_once_per_process(pairs) -> None:
    model = load_model(pairs[0][1], device="cpu")
    sent = pickle.dumps(model)
    first, second = pickle.loads(sent), pickle.loads(sent)
    assert len(sent) < 1000
    assert first is second
    tiles = noise(1, *[model.spec.tile_px] * 2)
    assert np.array_equal(first.predict(tiles), model.predict(tiles))


def test_a_worker_refuses_another_model_than_was_sent(copy: Path, name: str) -> None:
    sent = pickle.dumps(load_model(copy, device="cpu"))
    other = models_for(name)[-1]
    exported_to(copy.parent / "other", name, other)
    copy.rename(copy.with_name("old"))
    for item in (copy.parent / "other").iterdir():
        item.replace(copy.parent / item.name)
    with pytest.raises(ModelFileError, match="was sent"):
        pickle.loads(sent)


@pytest.mark.parametrize("keep", [0, 100, 3000])
def test_a_damaged_file_is_named(copy: Path, name: str, keep: int) -> None:
    weights = weights_of(name, copy)
    weights.write_bytes(weights.read_bytes()[:keep])
    with pytest.raises(ModelFileError, match=weights.name):
        load_model(copy, device="cpu")


def test_pixels_of_another_kind_are_refused(pairs) -> None:
    model = load_model(pairs[0][1], device="cpu")
    tiles = noise(1, *[model.spec.tile_px] * 2)
    for wrong in (tiles[0], tiles[..., :2], tiles.astype(np.float32), tiles[:0]):
        with pytest.raises(BadValueError, match="uint8"):
            model.predict(wrong)


def test_a_side_that_is_no_multiple_is_refused(pairs) -> None:
    model = load_model(pairs[0][1], device="cpu")
    side = model.spec.tile_px
    with pytest.raises(BadValueError, match=f"multiples of {model.spec.multiple_px}"):
        model.predict(noise(1, side, side + 1))


def test_a_place_that_is_taken_is_left_alone(pairs, name: str) -> None:
    model, path = pairs[0]
    weights = weights_of(name, path)
    before = weights.read_bytes(), sorted(path.parent.iterdir())
    with pytest.raises(BadValueError, match="exists already"):
        export_model(model, path, to=name)
    assert (weights.read_bytes(), sorted(path.parent.iterdir())) == before


def test_a_folder_with_other_things_is_never_replaced(pairs, name: str, tmp_path: Path) -> None:
    taken = tmp_path / NAMES.get(name, "model")
    taken.mkdir()
    (taken / "diary.txt").write_text("dear diary")
    with pytest.raises(BadValueError, match=r"diary\.txt"):
        export_model(pairs[0][0], taken, to=name, overwrite=True)
    assert [item.name for item in tmp_path.rglob("*")] == [taken.name, "diary.txt"]


def test_overwriting_replaces_the_whole(copy: Path, name: str) -> None:
    other = models_for(name)[-1]
    export_model(other, copy, to=name, overwrite=True)
    tiles = noise(2, *[other.spec.tile_px] * 2)
    found = load_model(copy, device="cpu")
    assert found.spec.classes == other.spec.classes
    assert np.abs(found.predict(tiles) - other.predict(tiles)).max() < 1e-5
    assert not list(copy.parent.glob(".*"))


def test_a_model_of_another_program_is_not_exported_again(pairs, name: str, tmp_path) -> None:
    model = load_model(pairs[0][1], device="cpu")
    with pytest.raises(BadValueError, match="only models of this package"):
        export_model(model, tmp_path / NAMES.get(name, "again"), to=name)
    assert not list(tmp_path.iterdir())


def test_a_device_that_is_not_there_is_refused(pairs) -> None:
    with pytest.raises(BadValueError, match="abacus"):
        load_model(pairs[0][1], device="abacus")
    with pytest.raises(BadValueError, match="bf16"):
        load_model(pairs[0][1], device="cpu", precision="bf16")


def test_an_unknown_format_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'onnx'"):
        export_model(small_network(), tmp_path / "model.onnx", to="onxx")


def test_a_file_of_no_format_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.h5").write_bytes(b"weights")
    with pytest.raises(ModelFileError, match="torchscript, onnx, bioimageio, wsinfer"):
        load_model(tmp_path / "model.h5")


def test_a_slide_is_segmented_alike(pairs) -> None:
    model, path = pairs[0]
    if model.spec.task != "segmentation":
        pytest.skip("the format holds classifiers")
    slide = st.drawn_liver(160, 160, seed=4)
    whole = st.Region(y=0, x=0, height=160, width=160)
    ours = st.segment(slide, model).read(whole)
    theirs = st.segment(slide, load_model(path, device="cpu")).read(whole)
    assert set(np.unique(ours)) == {1, 2}
    assert (ours != theirs).mean() < 1e-3
