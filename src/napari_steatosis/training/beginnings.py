"""What a training begins from: a network and its classes, from an architecture or a model."""

from __future__ import annotations

import inspect
import statistics
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ..core.dataset import Dataset
from ..core.errors import BadValueError, MissingScaleError, UnknownNameError
from ..core.model import ModelSpec
from ..models import MODELS, SHIPPED, WITHOUT_NETWORK, build, shipped_folder
from ..models._folder import check_fits, read_folder
from ..models._names import EXAMPLES, near, read_name
from ..models.reach import stated
from .recipe import Recipe
from .samples import Task

PATCH_PX = 1024
"""Side of the square that one task of a segmenter owns at inference, px."""

WHOLE_PX, WHOLE_HALO_PX = 512, 64
"""The same of a network that looks at the whole tile, and the strip that is blended."""

LOOKED_AT = 25
"""Samples from whose extent the scale of a classifier is taken."""


@dataclass(frozen=True)
class About:
    """What is said of the model that comes out.

    Parameters
    ----------
    name : str
        Under which it is shown; the name of its folder, or of the architecture.
    um_per_px : float, optional
        Scale at which it sees the images; that of the samples if they have one.
    stain : str
        Stain and normalisation of the training images, as `ModelSpec.stain`.
    modality : str
        Kind of image, as `ModelSpec.modality`.
    licence, training_data : str
        As in `ModelSpec`.
    """

    name: str = ""
    um_per_px: float | None = None
    stain: str = ""
    modality: str = ""
    licence: str = ""
    training_data: str = ""


@dataclass(frozen=True)
class Beginning:
    """A network to train, and what it is.

    Parameters
    ----------
    architecture : str
        Row of MODELS.
    task : {"segmentation", "classification"}
    classes : tuple of str
    parameters : dict
        Arguments of the architecture besides those of the recipe.
    model : ModelSpec, optional
        The model whose weights it begins with.
    state : dict of str to Tensor, optional
        These weights.
    """

    architecture: str
    task: Task
    classes: tuple[str, ...]
    parameters: dict[str, Any]
    model: ModelSpec | None = None
    state: dict[str, torch.Tensor] | None = None

    def network(self, recipe: Recipe) -> nn.Module:
        """Build the network as it is trained, with its first weights."""
        network = build(self.architecture, **{**self.parameters, **recipe.parameters})
        if self.state is not None:
            check_fits(network, self.state, Path(self.architecture))
            network.load_state_dict(self.state)
        return network

    def finished(self, recipe: Recipe) -> tuple[nn.Module, dict[str, Any]]:
        """Build the network as it predicts, and return its arguments, too.

        A form that is for training only (`strict`) is left.
        """
        parameters = {**self.parameters, **recipe.parameters}
        parameters.pop("strict", None)
        return build(self.architecture, **parameters), parameters


def begin(architecture: str, dataset: Dataset, recipe_parameters: dict[str, Any]) -> Beginning:
    """Return what a training begins from.

    Parameters
    ----------
    architecture : str
        Row of MODELS or a name as `napari_steatosis.models.build` takes it
        (``"smp:unet/resnet34"``), a shipped model, or the folder of a model to go on from.
    dataset : Dataset
        Says classes, and where a network has two tasks, which.
    recipe_parameters : dict
        Arguments of the architecture that a recipe gives.

    Raises
    ------
    UnknownNameError
        Where there is neither such an architecture nor such a model.
    BadValueError
        Where the classes are others than those of the model, or too many for the network; or
        where the name and the parameters contradict each other.
    """
    if architecture in SHIPPED or (Path(architecture) / "model.json").is_file():
        return _from_model(architecture, dataset)
    row, named = read_name(architecture, recipe_parameters)
    if row not in MODELS:
        known = [*MODELS, *WITHOUT_NETWORK, *EXAMPLES]
        raise UnknownNameError(
            f"There is no architecture or model named {architecture!r}."
            f"{near(architecture, [*known, *SHIPPED])} Architectures: {', '.join(known)} and the "
            f"like. Models: {', '.join(SHIPPED)}, or a folder with model.json."
        )
    kind = MODELS[row]
    takes = inspect.signature(kind).parameters
    task: Task = getattr(kind, "task", "segmentation")
    parameters: dict[str, Any] = dict(named)
    if "task" in takes:
        task = recipe_parameters.get("task") or _task_of(dataset)
        parameters["task"] = task
    classes = classes_of(dataset, task)
    if "classes" in takes:
        parameters["classes"] = len(classes)
    elif len(classes) != 2:
        raise BadValueError(
            f"{architecture} tells two classes apart, but there are {len(classes)}: "
            f"{', '.join(classes)}. Take another architecture, such as smp or valid-unet."
        )
    return Beginning(row, task, classes, parameters)


def _from_model(name: str, dataset: Dataset) -> Beginning:
    spec, state = read_folder(shipped_folder(name))
    classes = classes_of(dataset, spec.task)
    if classes != spec.classes:
        raise BadValueError(
            f"The model {name} tells {', '.join(spec.classes)} apart, the samples are of "
            f"{', '.join(classes)}. Train an architecture anew, or name the classes alike."
        )
    whole = {key: t.float() if t.is_floating_point() else t for key, t in state.items()}
    return Beginning(
        spec.architecture, spec.task, classes, dict(spec.parameters), replace(spec), whole
    )


def _task_of(dataset: Dataset) -> Task:
    labelled = all(sample.label for sample in dataset)
    masked = any(sample.mask_path or sample.annotations_path for sample in dataset)
    if not masked and not labelled and len(dataset):
        masked = dataset[0].mask() is not None
    return "segmentation" if masked or not labelled else "classification"


def classes_of(dataset: Dataset, task: Task) -> tuple[str, ...]:
    """Return the classes of a dataset; two at least.

    Raises
    ------
    BadValueError
        Where there are fewer.
    """
    found = dataset.classes
    if not found:
        labels = sorted({sample.label for sample in dataset if sample.label})
        found = ("tissue", "fat") if task == "segmentation" else tuple(labels)
    if len(found) < 2:
        raise BadValueError(
            f"{dataset.root or 'The dataset'} has one class ({', '.join(found) or 'none'}); "
            f"there is nothing to tell apart. Add samples of another class."
        )
    return found


def scale_of(about: About, dataset: Dataset, begun: Beginning, side_px: int | None) -> float:
    """Return the um per pixel at which the network sees the samples.

    What somebody said; else that of the model that is gone on from; else of a segmenter the median
    of the samples, and of a classifier the scale at which a sample fills what it sees: the median
    of their shorter sides, in um, over `side_px`.

    Raises
    ------
    MissingScaleError
        Where nobody said.
    """
    if about.um_per_px is not None:
        return about.um_per_px
    if begun.model is not None:
        return begun.model.um_per_px
    known = [sample for sample in dataset if sample.um_per_px]
    if not known:
        raise MissingScaleError(
            f"{dataset.root or 'The dataset'}: the size of a pixel is unknown, and a model has "
            f"one scale. Give um_per_px=0.5 (what it is), or the column mpp in the manifest."
        )
    if side_px is None:
        return statistics.median(sample.um_per_px or 0.0 for sample in known)
    some = known[:: -(-len(known) // LOOKED_AT)]
    extents = [(one.um_per_px or 0.0) * min(one.image().shape[:2]) for one in some]
    return statistics.median(extents) / side_px


def spec_of(begun: Beginning, about: About, scale: float, recipe: Recipe) -> ModelSpec:
    """Return the specification of the model that comes out, without scores."""
    network, parameters = begun.finished(recipe)
    step, reach = stated(network).stride_px, stated(network).reach_px
    tile, halo = recipe.crops.crop_px, 0
    if begun.task == "segmentation":
        whole = reach is None
        halo = WHOLE_HALO_PX if reach is None else reach
        halo, tile = -(-halo // step) * step, WHOLE_PX if whole else PATCH_PX
    before = begun.model
    return ModelSpec(
        name=about.name or begun.architecture,
        architecture=begun.architecture,
        task=begun.task,
        classes=begun.classes,
        um_per_px=scale,
        tile_px=-(-tile // step) * step,
        halo_px=halo,
        multiple_px=step,
        stain=about.stain or (before.stain if before else "H&E, any; no normalisation"),
        modality=about.modality or (before.modality if before else "brightfield-he"),
        context="tile" if reach is None else "halo",
        parameters=parameters,
        licence=about.licence or (before.licence if before else ""),
        training_data=about.training_data,
        preparation=recipe.preparation,
    )
