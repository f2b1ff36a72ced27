"""Which tensors of a file are which of a network, whoever named them."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

TORCHVISION = {
    "classifier.0.": "pre_logits.fc1.",
    "classifier.3.": "pre_logits.fc2.",
    "classifier.6.": "head.fc.",
}
"""Dense layers of VGG: names of torchvision to those of timm."""

DEEPEST_PREFIX = 4
"""Names may have at most so many words before them that are not the network's own."""


@dataclass(frozen=True)
class Fit:
    """What of a file belongs where in a network.

    Parameters
    ----------
    found : dict
        Values by the network's own names.
    unused : list of str
        Names and shapes in the file that the network does not have.
    missing : list of str
        Names of the network that the file does not have.
    other_shape : list of str
        Names of the network whose values have another shape in the file.
    """

    found: dict[str, Tensor]
    unused: list[str]
    missing: list[str]
    other_shape: list[str]


def fitted(given: dict[str, Tensor], own: dict[str, Tensor]) -> Fit:
    """Match the tensors of a file to those of a network.

    Dots and underscores are the same, because timm makes the one of the other; what stands before
    all names (``module.``, ``encoder.``) is dropped; and VGG's dense layers, which are convolutions
    in timm, are brought into their shape.

    Parameters
    ----------
    given, own : dict of str to Tensor
        Of the file, and of the network.

    Examples
    --------
    >>> import torch
    >>> values = torch.ones(2)
    >>> fit = fitted({"module.stages.0.bias": values, "module.fc.bias": values},
    ...              {"stages_0.bias": values})
    >>> list(fit.found), fit.unused
    (['stages_0.bias'], ['fc.bias (2,)'])
    """
    places = {plain(key): key for key in own}
    fit = Fit({}, [], [], [])
    tried = set()
    for key, values in without_prefix(given, set(places)).items():
        place = places.get(plain(key))
        if place is None:
            fit.unused.append(f"{key} {tuple(values.shape)}")
            continue
        tried.add(place)
        fitting = _in_shape(values, own[place])
        if fitting is None:
            shapes = f"{tuple(values.shape)} in place of {tuple(own[place].shape)}"
            fit.other_shape.append(f"{place} {shapes}")
        else:
            fit.found[place] = fitting
    lacking = own.keys() - tried
    # Counters of batches are of no consequence, and older files do not have them.
    fit.missing.extend(sorted(k for k in lacking if not k.endswith("num_batches_tracked")))
    return fit


def plain(key: str) -> str:
    """Return a name without what packages write differently.

    Examples
    --------
    >>> plain("stages.0.bias"), plain("classifier.0.weight")
    ('stages_0_bias', 'pre_logits_fc1_weight')
    """
    for theirs, ours in TORCHVISION.items():
        key = key.replace(theirs, ours)
    return key.replace(".", "_")


def without_prefix(given: dict[str, Tensor], known: set[str]) -> dict[str, Tensor]:
    """Drop what stands before the names of a file, so that the most of them are known."""
    words = [key.split(".") for key in given]
    prefixes = {
        "".join(f"{word}." for word in parts[:n])
        for parts in words
        for n in range(min(DEEPEST_PREFIX, len(parts)))
    }

    def hits(prefix: str) -> int:
        cut = len(prefix)
        return sum(plain(key[cut:]) in known for key in given if key.startswith(prefix))

    best = max(sorted(prefixes, key=lambda prefix: (len(prefix), prefix)), key=hits, default="")
    return {key.removeprefix(best): values for key, values in given.items()}


def _in_shape(values: Tensor, own: Tensor) -> Tensor | None:
    """Return values in the shape of a parameter: dense layers of VGG are convolutions in timm."""
    if values.shape == own.shape:
        return values
    dense = values.ndim == 2 and own.ndim == 4 and values.shape[0] == own.shape[0]
    return values.reshape(own.shape) if dense and values.numel() == own.numel() else None
