"""A model that changes colours itself is given the slide's own, and gives the same result."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import napari_steatosis as st
from brightness_model import BrightnessModel
from napari_steatosis.core.stain import StainTransform
from window_classifier import WindowClassifier, probabilities


@dataclass(frozen=True)
class Coloured:
    """A model behind a stain transform; counts the tiles that it is given."""

    model: Any
    stain: StainTransform
    given: list[int]

    def predict(self, tiles: NDArray[np.uint8]) -> NDArray[np.float32]:
        self.given.append(len(tiles))
        found: NDArray[np.float32] = self.model.predict(self.stain.apply(tiles))
        return found


@dataclass(frozen=True)
class Segmenter(BrightnessModel):
    """Applies stains itself, as a model on a GPU does."""

    given: list[int] = field(default_factory=list, compare=False)

    def stained(self, stain: StainTransform) -> Coloured:
        return Coloured(BrightnessModel(self.cut, self.spec), stain, self.given)


@dataclass(frozen=True)
class Classifier(WindowClassifier):
    """The same, for windows."""

    given: list[int] = field(default_factory=list, compare=False)

    def stained(self, stain: StainTransform) -> Coloured:
        return Coloured(WindowClassifier(), stain, self.given)


@pytest.fixture(scope="module")
def slide() -> Any:
    return st.drawn_liver(700, 700, seed=2, glass=False)


@pytest.fixture(scope="module")
def stain(slide: Any) -> StainTransform:
    return st.fit_stain(slide, method="macenko")


def test_segmentation(slide: Any, stain: StainTransform) -> None:
    model = Segmenter(cut=180.0)
    there = st.segment(slide, model, stain=stain)
    before = st.segment(slide, BrightnessModel(180.0), stain=stain)
    plain = st.segment(slide, BrightnessModel(180.0))
    maps = [np.asarray(one.levels[0][:]) for one in (there, before, plain)]
    assert (maps[0] == maps[1]).all()
    assert (maps[0] != maps[2]).any()
    assert sum(model.given) > 0


def test_classification(slide: Any, stain: StainTransform) -> None:
    model = Classifier()
    there = st.classify(slide, model, stain=stain)
    before = st.classify(slide, WindowClassifier(), stain=stain)
    assert (probabilities(there) == probabilities(before)).all()
    assert sum(model.given) > 0
