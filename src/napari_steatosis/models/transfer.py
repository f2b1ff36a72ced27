"""What is learnt elsewhere: weights from files, parts that stay as they are, rates of learning.

Every network of the table MODELS says which of its parts such weights belong to
(`backbone_names`) and which stand for the classes (`head_names`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from torch import Tensor, nn

from ..core.errors import BadValueError, ModelFileError
from ._backbone import last_child, level_names
from ._weight_files import read_weights
from ._weight_names import fitted

Freezing = Literal["none", "last_block", "backbone", "all"]
FREEZING: tuple[Freezing, ...] = ("none", "last_block", "backbone", "all")
"""Nothing is frozen; the backbone but its last block; the backbone; all but the head."""


@dataclass(frozen=True)
class LoadedWeights:
    """What became of a file of weights.

    Parameters
    ----------
    path : str
        The file.
    part : str
        Of the network, that they were loaded into.
    loaded : int
        Tensors.
    unused : tuple of str
        Names and shapes in the file that were left out: most often the head of other classes.
    untouched : tuple of str
        Names and shapes in the part that stay as they were: its own head.
    """

    path: str
    part: str
    loaded: int
    unused: tuple[str, ...]
    untouched: tuple[str, ...]

    def __str__(self) -> str:
        told = {"Not used": self.unused, "To be learnt": self.untouched}
        text = f"{self.loaded} tensors of {self.path} loaded into {self.part}. {_listed(told)}"
        return text.strip()


@dataclass(frozen=True)
class Phase:
    """A part of training in which the same parameters learn.

    Parameters
    ----------
    freezing : str
        One of `FREEZING`.
    learning_rate : float
        Of all that is not backbone.
    backbone_factor : float
        That of the backbone is so many times as large.
    share : float
        Of all steps of the training.
    """

    freezing: Freezing
    learning_rate: float
    backbone_factor: float = 0.1
    share: float = 1.0


TWO_PHASES = (Phase("backbone", 1e-3, share=1 / 3), Phase("last_block", 1e-4, share=2 / 3))
"""First what is new by itself, then the last block of the backbone with it, gently."""


def load_backbone(
    network: nn.Module, path: str | Path, *, part: str | None = None
) -> LoadedWeights:
    """Load weights that were learnt elsewhere into the backbone of a network, from a local file.

    Names may be those of timm, of torchvision (ResNet and VGG), or of a model folder of this
    package, with or without something before them (``module.``, ``encoder.`` ...). The weights of
    the file's own head are left out.

    Parameters
    ----------
    network : torch.nn.Module
        Of the table MODELS; changed in place, or not at all where this raises.
    path : str or Path
        A file in safetensors, or one that ``torch.save`` wrote, of which only tensors are read,
        never a pickle of other objects.
    part : str, optional
        Which backbone, where there are several: ``"resnet"`` or ``"vgg"``.

    Returns
    -------
    LoadedWeights
        Show it: it says what was not used, and what is left to be learnt.

    Raises
    ------
    ModelFileError
        Where the file is missing, damaged, not a set of weights, or does not hold all of the
        backbone in its shapes.
    BadValueError
        Where it is not clear which part is meant.

    Examples
    --------
    >>> from safetensors.torch import save_file
    >>> from napari_steatosis.models import build
    >>> learnt = build("timm", name="resnet18", classes=1000).network.state_dict()
    >>> save_file(learnt, "resnet18.safetensors")
    >>> print(load_backbone(build("cnn-fc", classes=4), "resnet18.safetensors").unused)
    ('fc.bias (1000,)', 'fc.weight (1000, 512)')
    """
    name = _chosen(network, part)
    module = network.get_submodule(name)
    head = _head_inside(network, name)
    whole: dict[str, Tensor] = module.state_dict()
    own = {key: values for key, values in whole.items() if not key.startswith(head)}
    fit = fitted(read_weights(Path(path)), own)
    if fit.missing or fit.other_shape or not fit.found:
        told = {"Missing": fit.missing, "Of another shape": fit.other_shape, "Unknown": fit.unused}
        raise ModelFileError(
            f"{path} does not hold the weights of {name} of {type(network).__name__}; nothing is "
            f"loaded. {_listed(told)} Give the weights of this very network, under the names of "
            f"timm or torchvision."
        )
    module.load_state_dict({**whole, **fit.found})
    untouched = [f"{key} {tuple(whole[key].shape)}" for key in whole if key not in own]
    return LoadedWeights(
        str(path), name, len(fit.found), tuple(sorted(fit.unused)), tuple(sorted(untouched))
    )


def freeze(network: nn.Module, freezing: Freezing) -> None:
    """Say which parameters learn; what does not learn computes as in evaluation from now on.

    So batch normalisation that is frozen keeps its statistics, and dropout inside of what is
    frozen drops nothing, though the network is set to training. Each call begins anew.

    Parameters
    ----------
    network : torch.nn.Module
        Of the table MODELS.
    freezing : {"none", "last_block", "backbone", "all"}
        Nothing is frozen; the backbone but its last block is; the backbone is; all but the head.

    Raises
    ------
    BadValueError
        Where there is no such way, or the network does not name its parts.

    Examples
    --------
    >>> from napari_steatosis.models import build
    >>> network = build("cnn-fc")
    >>> freeze(network, "backbone")
    >>> sorted({name.split(".")[0] for name, p in network.named_parameters() if p.requires_grad})
    ['head']
    """
    if freezing not in FREEZING:
        raise BadValueError(f"There is no freezing {freezing!r}. Use one of {', '.join(FREEZING)}.")
    named = () if freezing == "none" else _names(network, "backbone_names")
    for values in network.parameters():
        values.requires_grad_(freezing != "all")
    if freezing == "all":
        for name in _names(network, "head_names"):
            network.get_submodule(name).requires_grad_()
    for backbone in map(network.get_submodule, named if freezing != "all" else ()):
        backbone.requires_grad_(False)
        _thaw_head(network, backbone)
        if freezing == "last_block":
            for part in _last_block(backbone):
                part.requires_grad_()
    if freezing != "none" and _keep_still not in network._forward_pre_hooks.values():
        network.register_forward_pre_hook(_keep_still)
    network.train(network.training)


def parameter_groups(
    network: nn.Module,
    learning_rate: float,
    *,
    backbone_factor: float = 0.1,
    weight_decay: float = 0.01,
) -> list[dict[str, Any]]:
    """Return what learns as the groups that an optimiser of torch takes.

    The backbone learns at a rate of its own. Biases and normalisations are not made smaller
    (`weight_decay` is 0).

    Parameters
    ----------
    network : torch.nn.Module
        Of the table MODELS, after `freeze`.
    learning_rate : float
        Of all that is not backbone.
    backbone_factor : float
        That of the backbone is so many times as large.
    weight_decay : float

    Returns
    -------
    list of dict
        Without empty ones, each with ``name``, ``params``, ``lr``, ``weight_decay`` and
        ``factor``, which a schedule multiplies its rate by.

    Examples
    --------
    >>> from napari_steatosis.models import build
    >>> for group in parameter_groups(build("cnn-fc"), 1e-3):
    ...     print(group["name"], group["lr"], group["weight_decay"])
    backbone 0.0001 0.01
    backbone, not decayed 0.0001 0.0
    rest 0.001 0.01
    rest, not decayed 0.001 0.0
    """
    heads = {id(p) for n in _names(network, "head_names") for p in _parameters(network, n)}
    learnt = {id(p) for n in _names(network, "backbone_names") for p in _parameters(network, n)}
    groups: list[dict[str, Any]] = [
        {
            "name": name + ("" if decay else ", not decayed"),
            "params": [],
            "lr": learning_rate * factor,
            "weight_decay": decay,
            "factor": factor,
        }
        for name, factor in (("backbone", backbone_factor), ("rest", 1.0))
        for decay in (weight_decay, 0.0)
    ]
    for values in network.parameters():
        if values.requires_grad:
            rest = 2 * (id(values) not in learnt - heads)
            groups[rest + (values.ndim < 2)]["params"].append(values)
    return [group for group in groups if group["params"]]


def _parameters(network: nn.Module, name: str) -> list[nn.Parameter]:
    return list(network.get_submodule(name).parameters())


def _names(network: nn.Module, attribute: str) -> tuple[str, ...]:
    names: tuple[str, ...] = getattr(network, attribute, ())
    if not names:
        raise BadValueError(
            f"{type(network).__name__} does not say its {attribute}, so no part of it can be "
            f"frozen or learn at another rate. Train all of it at one rate."
        )
    return names


def _chosen(network: nn.Module, part: str | None) -> str:
    names = _names(network, "backbone_names")
    fitting = [name for name in names if part is None or part in (name, name.split(".")[0])]
    if len(fitting) != 1:
        known = ", ".join(name.split(".")[0] for name in names)
        raise BadValueError(
            f"{type(network).__name__} has the backbones {known}; part={part!r} does not say "
            f"which one the weights belong to. Give one of these names as part."
        )
    return fitting[0]


def _head_inside(network: nn.Module, name: str) -> tuple[str, ...]:
    """Return what the names of a head begin with that lies inside a backbone."""
    heads = _names(network, "head_names")
    return tuple(f"{head[len(name) + 1 :]}." for head in heads if head.startswith(f"{name}."))


def _thaw_head(network: nn.Module, backbone: nn.Module) -> None:
    inside = {id(part) for part in backbone.modules()}
    for name in _names(network, "head_names"):
        head = network.get_submodule(name)
        if id(head) in inside:
            head.requires_grad_()


def _listed(told: Mapping[str, Sequence[str]]) -> str:
    return " ".join(f"{what}: {_some(names)}." for what, names in told.items() if names)


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(sorted(names)[:4])
    return shown if len(names) <= 4 else f"{shown} and {len(names) - 4} more"


def _last_block(backbone: nn.Module) -> list[nn.Module]:
    """Return the parts that come after the second coarsest map, in the order of their making."""
    levels = level_names(backbone) if hasattr(backbone, "feature_info") else []
    names = [name for name, _ in backbone.named_modules()]
    for level in reversed(levels[:-1]):
        later = names[names.index(level) + 1 :]
        parts = [backbone.get_submodule(n) for n in later if not n.startswith(f"{level}.")]
        if any(next(part.parameters(), None) is not None for part in parts):
            return parts  # else only pooling lies between the two, as in VGG
    last = last_child(backbone)
    return [backbone.get_submodule(last)] if last else []


def _keep_still(network: nn.Module, _: Any) -> None:
    """Put what is frozen into evaluation: called before every pass."""
    for part in network.modules():
        values = list(part.parameters())
        if part.training and values and not any(p.requires_grad for p in values):
            part.eval()
