"""Every architecture and encoder of segmentation-models-pytorch, as a segmentation network."""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from typing import Any

import segmentation_models_pytorch as smp
import timm
import torch
from torch import Tensor, nn

from ..core.errors import BadValueError, UnknownNameError
from ._backbone import timm_names
from ._channel_scale import IMAGENET_MEAN, IMAGENET_STD, ChannelScale
from ._gate import NETWORKS
from ._names import near

OURS = ("encoder_weights", "in_channels", "activation", "aux_params")
"""Options of the library that would break what a network is here."""

CANNOT = (ValueError, TypeError, RuntimeError, NotImplementedError, KeyError, AssertionError)
"""What the library raises where an encoder or an option does not suit an architecture."""


class SmpNetwork(nn.Module):
    """A network of segmentation-models-pytorch. Nothing is downloaded; weights come from files.

    Parameters
    ----------
    architecture : str
        ``"unet"``, ``"unetplusplus"``, ``"manet"``, ``"linknet"``, ``"fpn"``, ``"pspnet"``,
        ``"deeplabv3"``, ``"deeplabv3plus"``, ``"pan"``, ``"upernet"``, ``"segformer"``,
        ``"dpt"``: what the installed version has.
    encoder : str
        ``"resnet18"``, ``"efficientnet-b0"``, ``"mit_b0"``, ``"tu-convnext_atto"`` ...
    classes : int
        Two share one logit; more have one each.
    mean, std : sequence of 3 float
        Of the channels, as parts of 1, of the images that it was trained on: ImageNet.
    **options
        Of the architecture, as in the library: ``encoder_depth=4``, ``decoder_channels=...``.

    Raises
    ------
    UnknownNameError
        Where the library knows no such architecture or encoder.
    BadValueError
        Where an option is not free here, or the library cannot build the architecture with this
        encoder or option.

    Examples
    --------
    >>> network = SmpNetwork("unet", "resnet18", encoder_depth=3, decoder_channels=[32, 16, 8])
    >>> network.stride_px
    8
    """

    head_names = ("network.segmentation_head",)

    def __init__(
        self,
        architecture: str = "unet",
        encoder: str = "resnet18",
        classes: int = 2,
        *,
        mean: Sequence[float] = IMAGENET_MEAN,
        std: Sequence[float] = IMAGENET_STD,
        **options: Any,
    ) -> None:
        super().__init__()
        self._made_with = json.dumps([architecture, encoder, options], sort_keys=True)
        self.scale = ChannelScale(mean, std)
        inside = ".model" if encoder.startswith("tu-") else ""
        self.backbone_names = (f"network.encoder{inside}",)
        self.network: Any = made(architecture, encoder, 1 if classes == 2 else classes, options)

    @property
    def cam_layers(self) -> tuple[str, ...]:
        """The part whose map Grad-CAM weights: the last of the encoder."""
        name = f"network.encoder.{coarsest_part(self.network.encoder)}"
        return (name,)

    @property
    def stride_px(self) -> int:
        """Sides of an input, and origins of tiles, must be multiples of this, px."""
        return int(self.network.encoder.output_stride)

    @property
    def reach_px(self) -> int | None:
        """Farthest input pixel that any output pixel depends on, px; None without a bound.

        Measured when it is first asked for, which takes seconds (see `measured_reach`).
        """
        return reach_of(self._made_with)

    def forward(self, rgb: Tensor) -> Tensor:
        """Map RGB of 0 to 255, ``(n, 3, y, x)``, to logits, ``(n, 1, y, x)``."""
        logits: Tensor = self.network(self.scale(rgb))
        return logits


def made(architecture: str, encoder: str, channels: int, options: dict[str, Any]) -> nn.Module:
    """Build a network of the library with random weights; see `SmpNetwork`."""
    if taken := sorted(options.keys() & set(OURS)):
        raise BadValueError(
            f"{', '.join(taken)} of segmentation-models-pytorch is not free here: networks take "
            f"RGB, give logits, and get their weights from a model folder. Leave it out."
        )
    _refuse_unknown(architecture, encoder)
    try:
        network: nn.Module = smp.create_model(
            architecture, encoder, encoder_weights=None, classes=channels, **options
        )
    except CANNOT as error:
        raise BadValueError(
            f"segmentation-models-pytorch {smp.__version__} cannot build {architecture} with "
            f"encoder {encoder}{_with(options)}: {error}"
        ) from error
    return network


def architectures() -> list[str]:
    """Return the names of the architectures of the library."""
    return list(smp.MODEL_ARCHITECTURES_MAPPING)


def encoders() -> list[str]:
    """Return the names of the encoders of the library, and of those that timm has for it."""
    return [*smp.encoders.get_encoder_names(), *(f"tu-{name}" for name in timm_names())]


def _refuse_unknown(architecture: str, encoder: str) -> None:
    library = f"segmentation-models-pytorch {smp.__version__}"
    if architecture.lower() not in architectures():
        raise UnknownNameError(
            f"{library} has no architecture {architecture!r}."
            f"{near(architecture.lower(), architectures())} Known: {', '.join(architectures())}."
        )
    ours = encoder in smp.encoders.get_encoder_names()
    if ours or (encoder.startswith("tu-") and timm.is_model(encoder[3:])):
        return
    if timm.is_model(encoder):
        hint = f" Did you mean {f'tu-{encoder}'!r}? Encoders of timm are named so."
    else:
        hint = near(encoder, encoders())
    raise UnknownNameError(
        f"{library} has no encoder {encoder!r}, and timm {timm.__version__} has none for it.{hint} "
        f"'napari-steatosis models names WORD' lists those with a word in their name."
    )


def _with(options: dict[str, Any]) -> str:
    return f" and {', '.join(f'{key}={value!r}' for key, value in options.items())}" * bool(options)


def coarsest_part(encoder: nn.Module) -> str:
    """Return the name of the part of an encoder that makes its last map.

    Encoders do not say, and some hold parts that they do not use, so a small image is sent
    through. Where the last map is no part's own answer, as in transformers, it is the last part
    that answers with a map.
    """
    names = {part: name for name, part in encoder.named_modules() if name}
    maps: list[tuple[str, Tensor]] = []

    def watch(part: nn.Module, _: Any, found: Any) -> None:
        if isinstance(found, Tensor) and found.ndim == 4:
            maps.append((names[part], found))

    hooks = [part.register_forward_hook(watch) for part in names]
    was_training = encoder.training
    try:
        with torch.no_grad(), NETWORKS.passing():
            side = 2 * int(encoder.output_stride)  # type: ignore[arg-type]
            image = next(encoder.parameters()).new_zeros(1, 3, side, side)
            last = encoder.eval()(image)[-1]
    finally:
        encoder.train(was_training)
        for hook in hooks:
            hook.remove()
    return next((name for name, found in reversed(maps) if found is last), maps[-1][0])


@functools.cache
def reach_of(made_with: str) -> int | None:
    """Measure the reach of an architecture, once per process: weights do not change it."""
    from .reach import measured_reach

    architecture, encoder, options = json.loads(made_with)
    network: Any = made(architecture, encoder, 1, options)
    return measured_reach(network, stride_px=int(network.encoder.output_stride))
