"""Recipes by name: as the published systems state them, and beside each an improved default.

What a system does not state is a choice of this project; docs/methods/training.md says which.
"""

from __future__ import annotations

import math
from dataclasses import replace

from ..core.errors import UnknownNameError
from ..models import PUBLISHED
from .augment import STILL, Variation
from .recipe import Crops, Recipe

Phases = tuple[Recipe, ...]
"""Recipes that follow each other; the weights go on, everything else begins anew."""

HED = replace(STILL, stain_gain=(0.95, 1.05), stain_shift=0.05)
"""Stain jitter of +-0.05 (HED-light of Tellez et al. 2018), and nothing else."""

TISSUE = Variation(mixed=0.3, compressed=0.1)
"""As for droplet-net, with the stains of other images and some JPEG."""

RESNET_VGG = replace(STILL, turn_degrees=15.0, flip="horizontal", zoom=(0.9, 1.1), shift=0.1)

_PATCHES = replace(STILL, turn_degrees=180.0, flip="any", nearest_mask=True)

_VIEWS = replace(
    HED,
    turn_degrees=180.0,
    flip="any",
    log_scale=math.log(1.1),
    blurred=0.2,
    compressed=0.2,
)

_CLASSES = Crops(batch=32, crop_px=224, per_sample=1, order="each", whole=True)

_HEAD = Recipe(
    learning_rate=1e-3,
    weight_decay=0.0,
    warmup=0.0,
    averaging=0.0,
    optimiser="adam",
    schedule="constant",
    loss="ce",
    freeze="backbone",
    epochs=10,
    patience=10,
    crops=replace(_CLASSES, batch=8, crop_px=896, variation=_VIEWS),
    parameters=PUBLISHED["cnn-rnn"],
)
"""The head alone, on 4 x 4 regions of 224 px."""

STATED: dict[str, Phases] = {
    "droplet-net": (Recipe(),),
    "valid-unet": (
        Recipe(
            learning_rate=0.002,
            weight_decay=0.0,
            warmup=0.0,
            averaging=0.0,
            optimiser="nadam",
            schedule="constant",
            loss="ce",
            epochs=100,
            patience=10,
            monitor="loss",
            crops=Crops(16, 268, 250, order="each", distinct=True, variation=_PATCHES),
            parameters=PUBLISHED["valid-unet"],
        ),
    ),
    "resnet-vgg": (
        Recipe(
            learning_rate=1e-4,
            weight_decay=0.0,
            warmup=0.0,
            averaging=0.0,
            optimiser="adam",
            schedule="constant",
            loss="ce-keras",
            balanced=True,
            epochs=10,
            patience=10,
            monitor="loss",
            crops=replace(_CLASSES, variation=RESNET_VGG),
            preparation="grey-equalised",
            parameters=PUBLISHED["resnet-vgg"],
        ),
    ),
    "cnn-lstm-attention": (
        Recipe(
            learning_rate=1e-3,
            weight_decay=0.0,
            warmup=0.0,
            averaging=0.0,
            optimiser="adam",
            loss="ce",
            balanced=True,
            epochs=40,
            patience=10,
            crops=replace(_CLASSES, variation=_VIEWS),
        ),
    ),
    "cnn-rnn": (
        _HEAD,
        replace(_HEAD, learning_rate=1e-4, freeze="last_block", backbone_rate=0.1, epochs=20),
    ),
    "hybrid-convformer": (
        Recipe(
            learning_rate=3e-4,
            weight_decay=0.05,
            warmup=0.05,
            averaging=0.0,
            backbone_rate=0.1,
            crops=Crops(variation=_VIEWS),
            parameters=PUBLISHED["hybrid-convformer"],
        ),
    ),
}
"""Name of an architecture to its recipe as stated."""

_SEGMENTER = Recipe(crops=Crops(variation=TISSUE))

_CLASSIFIER = Recipe(
    learning_rate=3e-4,
    weight_decay=0.05,
    loss="ce",
    smoothing=0.05,
    balanced=True,
    clip=1.0,
    backbone_rate=0.1,
    epochs=30,
    crops=replace(_CLASSES, variation=replace(TISSUE, log_scale=0.2)),
)

DEFAULTS: dict[str, Phases] = {
    "droplet-net": STATED["droplet-net"],
    "valid-unet": (
        replace(
            _SEGMENTER,
            crops=replace(_SEGMENTER.crops, crop_px=268),
            parameters=PUBLISHED["valid-unet"],
        ),
    ),
    "resnet-vgg": (
        replace(
            _CLASSIFIER,
            preparation="grey-equalised",
            crops=replace(_CLASSES, variation=RESNET_VGG),
        ),
    ),
    "cnn-lstm-attention": (replace(_CLASSIFIER, learning_rate=1e-3, backbone_rate=1.0),),
    "cnn-rnn": (
        replace(_CLASSIFIER, learning_rate=1e-3, freeze="backbone", epochs=5),
        replace(_CLASSIFIER, learning_rate=1e-4, freeze="last_block", epochs=20),
    ),
    "hybrid-convformer": (
        replace(
            _SEGMENTER,
            learning_rate=3e-4,
            weight_decay=0.05,
            clip=1.0,
            backbone_rate=0.1,
        ),
    ),
}
"""Name of an architecture to the recipe that is taken where none is named."""


def recipe_for(architecture: str, task: str, preset: str | Recipe | Phases | None) -> Phases:
    """Return the recipes to follow.

    Parameters
    ----------
    architecture : str
        Row of MODELS.
    task : {"segmentation", "classification"}
        Of the network.
    preset : str or Recipe or sequence of Recipe, optional
        Row of `STATED`, or the recipe itself. None: the default of the architecture; of one
        without a row, that of its task.

    Raises
    ------
    UnknownNameError
        Where no preset has this name.

    Examples
    --------
    >>> recipe_for("valid-unet", "segmentation", "valid-unet")[0].optimiser
    'nadam'
    """
    if isinstance(preset, Recipe):
        return (preset,)
    if isinstance(preset, str):
        if preset not in STATED:
            raise UnknownNameError(
                f"There is no preset named {preset!r}. Known: {', '.join(STATED)}."
            )
        return fitted(STATED[preset], task)
    if preset is not None:
        return tuple(preset)
    general = _SEGMENTER if task == "segmentation" else _CLASSIFIER
    return fitted(DEFAULTS.get(architecture, (general,)), task)


def fitted(phases: Phases, task: str) -> Phases:
    """Return recipes whose crops and loss suit a task: hybrid-convformer has two."""
    if task == "classification":
        return tuple(
            one
            if one.crops.whole
            else replace(
                one,
                loss="ce",
                balanced=True,
                crops=replace(_CLASSES, variation=one.crops.variation),
            )
            for one in phases
        )
    return phases
