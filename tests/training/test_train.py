"""From a dataset to a model folder: repeatable, stoppable, and every fault named beforehand."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_steatosis.core.dataset import ArraySource, Dataset, Sample
from napari_steatosis.core.errors import (
    BadValueError,
    CannotOpenError,
    MissingScaleError,
    UnknownNameError,
)
from napari_steatosis.models import load_model, save_model
from napari_steatosis.training.checkpoints import checkpoint_of
from napari_steatosis.training.rows import Epoch, Notice, Predicted, Step, Trained
from napari_steatosis.training.train import train
from training.trainings import QUICK, drawn, regions, rows_of, squares, trained


def same_weights(one, two) -> bool:
    pairs = zip(one.state.items(), two.state.items(), strict=True)
    return all(name == other and torch.equal(a, b) for (name, a), (other, b) in pairs)


def test_rows_tell_the_whole_training():
    rows = rows_of("droplet-net", drawn(), drawn(2, seed=2), **QUICK)
    kinds = [type(row) for row in rows]
    assert kinds.count(Step) == 4
    assert kinds.count(Epoch) == 2
    assert kinds.count(Predicted) == 4
    assert kinds[-1] is Trained
    epochs = [row for row in rows if isinstance(row, Epoch)]
    assert [(row.epoch, row.epochs, row.step) for row in epochs] == [(1, 2, 2), (2, 2, 4)]
    steps = [row.loss for row in rows if isinstance(row, Step)]
    assert epochs[0].loss == pytest.approx(np.mean(steps[:2]))
    assert epochs[0].best
    shown = next(row for row in rows if isinstance(row, Predicted))
    assert shown.probability.shape == (2, *shown.image.shape[:2])
    assert np.abs(shown.probability.sum(0) - 1).max() < 1e-5


def test_a_seed_decides_the_weights():
    one, two, other = (
        trained("droplet-net", drawn(), **{**QUICK, "seed": seed}).model for seed in (1, 1, 2)
    )
    assert same_weights(one, two)
    assert not same_weights(one, other)


def test_threads_that_make_batches_change_nothing():
    none, three = (trained("droplet-net", drawn(), workers=n, **QUICK).model for n in (0, 3))
    assert same_weights(none, three)


def test_who_reads_the_rows_changes_nothing():
    quiet = trained("droplet-net", drawn(), **QUICK).model
    for row in train("droplet-net", drawn(), **QUICK):
        torch.rand(3)
        last = row
    assert same_weights(quiet, last.model)


def test_the_model_is_that_of_the_best_epoch(tmp_path: Path):
    rows = rows_of(
        "droplet-net", drawn(), drawn(2, seed=2), out=tmp_path / "m", **{**QUICK, "epochs": 5}
    )
    epochs = [row for row in rows if isinstance(row, Epoch)]
    best = max(epochs, key=lambda row: row.scores["score"])
    assert rows[-1].best_epoch == best.epoch
    assert rows[-1].scores["validation"]["best_epoch"]["jaccard"] == pytest.approx(
        best.scores["jaccard"], abs=1e-5
    )
    assert rows[-1].scores["validation"]["jaccard"][0] == pytest.approx(
        best.scores["jaccard"],
        abs=0.02,  # weights are stored in half precision
    )


def test_it_stops_when_the_score_no_longer_improves():
    rows = rows_of(
        "droplet-net",
        drawn(),
        drawn(2, seed=2),
        **{**QUICK, "epochs": 9, "patience": 2, "learning_rate": 1e-12},
    )
    epochs = [row for row in rows if isinstance(row, Epoch)]
    assert len(epochs) < 9
    assert rows[-1].stopped_early
    assert rows[-1].best_epoch == len(epochs) - 2


def test_the_folder_says_what_the_model_is_made_of(tmp_path: Path):
    out = tmp_path / "mine"
    last = trained(
        "droplet-net", drawn(), drawn(2, seed=2), out=out, licence="CC0", stain="H&E, any", **QUICK
    )
    model = load_model(out, device="cpu")
    assert model.digest == last.digest
    assert (model.spec.name, model.spec.licence, model.spec.um_per_px) == ("mine", "CC0", 0.5)
    assert model.spec.halo_px % model.spec.multiple_px == 0
    values = json.loads((out / "model.json").read_text(encoding="utf-8"))
    made = values["made"]
    assert made["training"]["samples"] == made["training"]["patients"] == 4
    assert len(made["training"]["content_sha256"]) == 64
    assert made["recipes"][0]["crops"]["crop_px"] == 32
    assert {"torch", "numpy", "python"} <= made["with"].keys()
    table = (out / "training" / "epochs.csv").read_text(encoding="utf-8").splitlines()
    assert len(table) == 3
    assert not checkpoint_of(out).exists()
    assert "Jaccard" in (out / "card.md").read_text(encoding="utf-8")
    with pytest.raises(BadValueError, match="holds a model already"):
        train("droplet-net", drawn(), out=out, **QUICK)


def test_an_edited_model_file_is_refused(tmp_path: Path):
    out = tmp_path / "mine"
    trained("droplet-net", drawn(), drawn(2, seed=2), out=out, **QUICK)
    text = (out / "model.json").read_text(encoding="utf-8")
    (out / "model.json").write_text(text.replace('"samples": 2', '"samples": 200'), "utf-8")
    with pytest.raises(CannotOpenError.__mro__[1], match="edited after it was written"):
        load_model(out)


@pytest.mark.parametrize("optimiser", ["adamw", "nadam"])
def test_a_killed_training_goes_on_to_the_same_bits(tmp_path: Path, optimiser: str):
    how = {**QUICK, "epochs": 3, "optimiser": optimiser, "clip": 1.0, "workers": 0}
    whole = trained("droplet-net", drawn(), out=tmp_path / "a" / "m", **how)
    script = (
        "import os, signal, sys\n"
        f"sys.path.insert(0, {str(Path(__file__).parents[1])!r})\n"
        "from training.trainings import drawn\n"
        "from napari_steatosis.training.train import train\n"
        f"rows = train('droplet-net', drawn(), out={str(tmp_path / 'b' / 'm')!r}, **{how!r})\n"
        "steps = (row for row in rows if type(row).__name__ == 'Step')\n"
        "[next(steps) for _ in range(4)]\n"
        "os.kill(os.getpid(), signal.SIGKILL if hasattr(signal, 'SIGKILL') else signal.SIGTERM)\n"
    )
    if optimiser == "adamw":  # killed for good; the others are left between two rows
        done = subprocess.run([sys.executable, "-c", script], timeout=120)
        assert done.returncode != 0
    else:
        rows = train("droplet-net", drawn(), out=tmp_path / "b" / "m", **how)
        for _ in range(4):
            next(rows)
        rows.close()
    assert checkpoint_of(tmp_path / "b" / "m").is_file()
    rows = rows_of("droplet-net", drawn(), out=tmp_path / "b" / "m", resume=True, **how)
    assert any(isinstance(row, Notice) and "Going on after 1" in row.text for row in rows)
    assert sum(isinstance(row, Step) for row in rows) < 6
    assert rows[-1].digest == whole.digest
    names = ["a/m/model.safetensors", "b/m/model.safetensors"]
    assert len({(tmp_path / name).read_bytes() for name in names}) == 1


def test_scores_hard_samples_and_plateau_go_on_exactly(tmp_path: Path):
    how = {**QUICK, "epochs": 4, "hard": 0.5, "schedule": "plateau", "patience": 0}
    data = drawn(), drawn(2, seed=2)
    whole = rows_of("droplet-net", *data, **how)
    rows = train("droplet-net", *data, out=tmp_path, **how)
    first = []
    for row in rows:
        first.append(row)
        if isinstance(row, Step) and row.step == 4:
            break
    rows.close()
    second = rows_of("droplet-net", *data, out=tmp_path, resume=True, **how)

    def story(told):
        return [
            (row.loss, row.scores, row.best, row.learning_rate)
            for row in told
            if isinstance(row, Epoch)
        ]

    assert story(first) + story(second) == story(whole)
    assert same_weights(second[-1].model, whole[-1].model)


def test_a_checkpoint_of_another_training_is_refused(tmp_path: Path):
    rows = train("droplet-net", drawn(), out=tmp_path, **QUICK)
    next(rows), next(rows)
    rows.close()
    with pytest.raises(BadValueError, match=r"learning_rate was 0\.002, now 0\.1"):
        rows_of("droplet-net", drawn(), out=tmp_path, resume=True, learning_rate=0.1, **QUICK)
    with pytest.raises(BadValueError, match="of another training: training was"):
        rows_of("droplet-net", drawn(seed=3), out=tmp_path, resume=True, **QUICK)
    file = checkpoint_of(tmp_path)
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(CannotOpenError, match="damaged or no checkpoint"):
        rows_of("droplet-net", drawn(), out=tmp_path, resume=True, **QUICK)


def test_a_model_is_gone_on_from(tmp_path: Path):
    first = trained("droplet-net", drawn(), out=tmp_path / "first", **QUICK)
    more = {**QUICK, "epochs": 1, "learning_rate": 1e-9, "averaging": 0.0}
    second = trained(str(tmp_path / "first"), drawn(2, seed=5), **more)
    for name, values in second.model.state.items():
        if "norm" not in name and values.is_floating_point():
            assert torch.allclose(values.float(), first.model.state[name].float(), atol=1e-3)
    assert second.model.spec.parameters == first.model.spec.parameters
    other = replace(drawn(2, seed=5), classes=("tissue", "vessel"))
    with pytest.raises(BadValueError, match="tells tissue, fat apart"):
        train(str(tmp_path / "first"), other, **more)


def test_three_classes_and_pixels_that_are_not_judged():
    how = {**QUICK, "epochs": 12, "parameters": {}, "batch": 8, "per_sample": 8, "crop_px": 60}
    last = trained(
        "valid-unet",
        regions(4),
        regions(2, seed=1),
        **{**how, "crop_px": 124, "epochs": 2, "parameters": {"strict": True}, "batch": 4},
    )
    assert last.model.spec.classes == ("tissue", "fat", "vessel")
    assert last.model.spec.parameters == {"classes": 3}
    best = last.scores["validation"]["best_epoch"]
    assert {"jaccard", "jaccard_fat", "jaccard_vessel"} <= best.keys()


def test_a_classifier_learns_what_is_easy():
    last = trained(
        "cnn-lstm-attention",
        squares(12, classes=3),
        squares(6, seed=1, classes=3),
        **{**QUICK, "parameters": {}, "epochs": 25, "learning_rate": 3e-3, "mixed": 0.0},
        stain_gain=(1.0, 1.0),
        gamma=(1.0, 1.0),
    )
    assert last.model.spec.task == "classification"
    assert last.model.spec.classes == ("a", "b", "c")
    assert last.scores["validation"]["best_epoch"]["accuracy"] > 0.9
    image = squares(3, seed=7, classes=3)[2].image()
    assert last.model.predict(image[None]).argmax() == 2


def test_two_phases_follow_each_other():
    rows = rows_of(
        "cnn-fc",
        squares(4),
        squares(4, seed=1),
        preset="cnn-rnn",
        **{**QUICK, "parameters": {"backbone": "resnet18"}, "epochs": 1},
    )
    assert any(isinstance(row, Notice) and "backbone is frozen" in row.text for row in rows)
    epochs = [row for row in rows if isinstance(row, Epoch)]
    assert [row.epoch for row in epochs] == [1, 2]
    assert [round(row.learning_rate, 6) for row in epochs] == [1e-3, 1e-4]


FAULTS = {
    "one class": (
        Dataset(tuple(replace(one, label="a") for one in squares(4)), ("a", "b")),
        "cnn-fc",
        "All training samples are of the class 'a'",
    ),
    "no positives": (
        Dataset(
            (
                Sample(
                    "x",
                    ArraySource(np.zeros((40, 40, 3), np.uint8), np.zeros((40, 40), np.uint8)),
                    um_per_px=0.5,
                ),
            ),
            ("tissue", "fat"),
        ),
        "droplet-net",
        "masks show only 'tissue'",
    ),
    "mask size": (
        Dataset(
            (
                Sample(
                    "x",
                    ArraySource(np.zeros((40, 40, 3), np.uint8), np.zeros((20, 40), np.uint8)),
                    um_per_px=0.5,
                ),
            ),
            ("tissue", "fat"),
        ),
        "droplet-net",
        r"x is 40 x 40 px, but its mask 20 x 40",
    ),
    "unknown value": (
        Dataset(
            (
                Sample(
                    "x",
                    ArraySource(np.zeros((9, 9, 3), np.uint8), np.full((9, 9), 7, np.uint8)),
                    um_per_px=0.5,
                ),
            ),
            ("tissue", "fat"),
        ),
        "droplet-net",
        "holds the value 7",
    ),
    "empty": (Dataset((), ("tissue", "fat")), "droplet-net", "no training sample"),
    "no mask": (
        Dataset(
            (Sample("x", ArraySource(np.zeros((9, 9, 3), np.uint8)), um_per_px=0.5),),
            ("tissue", "fat"),
        ),
        "droplet-net",
        "x has no mask",
    ),
    "classes": (regions(1), "droplet-net", "two classes apart, but there are 3"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_the_data_is_named_before_the_first_row(fault: str):
    data, architecture, said = FAULTS[fault]
    with pytest.raises(BadValueError, match=said):
        train(architecture, data, device="cpu")


def test_patients_in_both_sets_are_refused_unless_stamped(tmp_path: Path):
    data = drawn()
    with pytest.raises(BadValueError, match="4 patients are both in training and in validation"):
        train("droplet-net", data, data, **QUICK)
    stamped = replace(data, image_level=True)
    rows = rows_of("droplet-net", stamped, stamped, **{**QUICK, "epochs": 1})
    assert any(isinstance(row, Notice) and "optimistic" in row.text for row in rows)
    assert "optimistic" in rows[-1].scores["validation"]["split"]


def test_what_is_unknown_is_named():
    unscaled = Dataset(tuple(replace(one, um_per_px=None) for one in drawn()), ("tissue", "fat"))
    with pytest.raises(MissingScaleError, match=r"um_per_px=0\.5"):
        train("droplet-net", unscaled, **QUICK)
    with pytest.raises(UnknownNameError, match=r"no 'epoch'\. Did you mean"):
        train("droplet-net", drawn(), epoch=3)
    with pytest.raises(UnknownNameError, match="no architecture or model named 'unet'"):
        train("unet", drawn())
    with pytest.raises(UnknownNameError, match="no preset named 'best'"):
        train("droplet-net", drawn(), preset="best")
    with pytest.raises(UnknownNameError, match="no schedule named 'sine'"):
        train("droplet-net", drawn(), schedule="sine")


def test_a_loss_that_is_not_finite_says_what_to_do():
    with pytest.raises(BadValueError, match="train with a learning rate below 1e"):
        rows_of("droplet-net", drawn(), **{**QUICK, "learning_rate": 1e30, "warmup": 0.0})


def test_samples_of_another_scale_are_brought_to_one():
    data = drawn(2, side_px=64)
    fine = replace(data.samples[1], um_per_px=0.25)
    last = trained("droplet-net", Dataset((data.samples[0], fine), data.classes), um_per_px=0.5,
                   **QUICK)  # fmt: skip
    assert last.model.spec.um_per_px == 0.5


def test_preparation_is_kept_with_the_model(tmp_path: Path):
    last = trained(
        "cnn-lstm-attention",
        squares(4),
        out=tmp_path / "m",
        preparation="grey-equalised",
        **{**QUICK, "parameters": {}, "epochs": 1},
    )
    model = load_model(tmp_path / "m", device="cpu", precision="fp32")
    assert model.spec.preparation == "grey-equalised"
    assert model.digest == last.digest
    image = squares(2)[1].image()
    dark = (image // 2).astype(np.uint8)  # equalisation takes most of the difference away
    assert np.abs(model.predict(image[None]) - model.predict(dark[None])).max() < 0.05
    save_model(model, tmp_path / "again")
    assert load_model(tmp_path / "again", device="cpu").digest == model.digest
