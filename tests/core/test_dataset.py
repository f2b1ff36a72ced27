"""Splits keep patients apart, whatever the groups; weights are those of the formula."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from napari_steatosis.core.dataset import ArraySource, Dataset, Finding, Sample
from napari_steatosis.core.errors import BadValueError, SteatosisWarning

BLANK = ArraySource(np.zeros((4, 4, 3), np.uint8))


def made(patients, labels=None, **more) -> Dataset:
    labels = labels or [""] * len(patients)
    rows = enumerate(zip(patients, labels, strict=True))
    samples = tuple(Sample(f"s{n}", BLANK, patient=p, label=x, **more) for n, (p, x) in rows)
    return Dataset(samples, tuple(sorted(set(labels) - {""})))


def patients(data: Dataset) -> set[str]:
    return {one.patient for one in data}


def test_weights_are_those_of_the_published_counts():
    counts = {"F0": 2114, "F1": 861, "F2": 793, "F3": 857, "F4": 1698}
    labels = [name for name, count in counts.items() for _ in range(count)]
    weights = made(["p"] * len(labels), labels).class_weights()
    assert list(weights) == list(counts)
    assert [round(one, 4) for one in weights.values()] == [0.5982, 1.4688, 1.5947, 1.4756, 0.7448]


def test_weights_need_labels_and_every_class():
    with pytest.raises(BadValueError, match="1 of 2 samples have no label"):
        made(["a", "b"], ["F0", ""]).class_weights()
    data = made(["a", "b"], ["F0", "F1"])
    with pytest.raises(BadValueError, match="the class 'F1' has no sample"):
        data.where(label="F0").class_weights()


@settings(max_examples=60, deadline=None)
@given(
    groups=some.lists(some.integers(0, 12), min_size=2, max_size=60),
    classes=some.integers(1, 4),
    held_out=some.floats(0.02, 0.98),
    seed=some.integers(0, 2**16),
)
def test_no_patient_is_in_two_sets(groups, classes, held_out, seed):
    if len(set(groups)) < 2:
        return
    labels = [f"F{(7 * n + seed) % classes}" for n in range(len(groups))]
    data = made([f"P{group}" for group in groups], labels)
    train, test = data.split(by="patient", held_out=held_out, seed=seed)
    assert train.samples
    assert test.samples
    assert not patients(train) & patients(test)
    assert sorted(one.name for one in (*train, *test)) == sorted(one.name for one in data)
    assert not train.image_level


@settings(max_examples=40, deadline=None)
@given(
    groups=some.lists(some.integers(0, 12), min_size=2, max_size=60),
    folds=some.integers(2, 13),
    seed=some.integers(0, 2**16),
)
def test_in_folds_every_sample_is_held_out_once(groups, folds, seed):
    data = made([f"P{group}" for group in groups], [f"F{group % 3}" for group in groups])
    if not 2 <= folds <= len(set(groups)):
        with pytest.raises(BadValueError, match=r"not possible|one patient only"):
            data.split(folds=folds, seed=seed)
        return
    dealt = data.split(folds=folds, seed=seed)
    assert len(dealt) == folds
    assert sorted(one.name for _, test in dealt for one in test) == sorted(o.name for o in data)
    for train, test in dealt:
        assert not patients(train) & patients(test)
        assert len(train) + len(test) == len(data)
        assert test.samples


def test_a_split_is_stratified_and_decided_by_the_seed():
    labels = [f"F{n // 50}" for n in range(100)]
    data = made([f"P{n // 2}" for n in range(100)], labels)
    _, test = data.split(held_out=0.2, seed=7)
    assert len(test) == 20
    assert sum(one.label == "F1" for one in test) == 10
    assert [one.name for one in data.split(seed=7)[1]] == [one.name for one in test]
    assert [one.name for one in data.split(seed=8)[1]] != [one.name for one in test]


def test_scores_are_stratified_too():
    samples = tuple(Sample(f"s{n}", BLANK, patient=f"P{n}", score=float(n)) for n in range(40))
    for _, test in Dataset(samples).split(folds=5):
        scores = [one.score for one in test]
        assert min(scores) < 10
        assert max(scores) >= 30


def test_single_images_are_split_with_a_warning_and_a_stamp():
    data = made(["P1"] * 10)
    with pytest.warns(SteatosisWarning, match="optimistic"):
        train, test = data.split(by="image")
    assert (len(train), len(test)) == (8, 2)
    assert train.image_level
    assert test.image_level
    assert any("Image-level split" in note for note in test.notes)


def test_the_official_split_and_its_leaks():
    splits = ["train", "train", "val", "test"]
    rows = zip(["A", "B", "C", "D"], splits, strict=True)
    samples = tuple(Sample(name, BLANK, patient=name, split=split) for name, split in rows)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        train, val = Dataset(samples).split(by="official")
    assert [len(train), len(val)] == [2, 1]
    assert val[0].split == "val"
    leaking = Dataset((*samples[:2], Sample("E", BLANK, patient="A", split="test")))
    with pytest.warns(SteatosisWarning, match=r"1 patient\(s\) both in train and in test"):
        train, test = leaking.split(by="official")
    assert any("optimistic" in note for note in test.notes)
    with pytest.raises(BadValueError, match="no official split"):
        made(["A", "B"]).split(by="official")


@pytest.mark.parametrize(
    ("data", "options", "said"),
    [
        (made(["A"] * 4), {}, "one patient only"),
        (made(["A", "", ""]), {}, "2 of 3 samples have no patient"),
        (made(["A", "B"]), {"folds": 3}, "3 folds of 2 patients"),
        (made(["A", "B"]), {"held_out": 1.0}, "between 0 and 1"),
        (made(["A", "B"]), {"by": "slide"}, "'slide'"),
        (made(["A", "B"]), {"by": "official", "folds": 2}, "no folds"),
        (made(["A"]), {"by": "image"}, "one image only"),
    ],
)
@pytest.mark.filterwarnings("ignore:Image-level")
def test_what_cannot_be_split_says_why(data, options, said):
    with pytest.raises(BadValueError, match=said):
        data.split(**options)


def test_where_says_what_there_is():
    data = made(["A", "B"], split="train")
    assert len(data.where(split="train", patient="A")) == 1
    with pytest.raises(BadValueError, match="split: train"):
        data.where(split="val")


def test_a_dataset_travels_between_processes():
    again = pickle.loads(pickle.dumps(made(["A", "B"], ["F0", "F1"])))
    assert again.class_weights() == {"F0": 1.0, "F1": 1.0}
    assert again[0].image().shape == (4, 4, 3)


def test_the_digest_is_of_the_table():
    assert made(["A", "B"]).digest == made(["A", "B"]).digest != made(["A", "C"]).digest


def test_a_finding_is_a_sentence():
    found = Finding("one_class", "error", "", "All are F0.", "Add others.")
    assert str(found) == "error, one_class: All are F0. Add others."
