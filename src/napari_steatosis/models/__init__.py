"""Networks, and the folders they are kept in. Nothing here imports torch before it is used.

A new architecture is one file and one row of `MODELS`; its class maps RGB of 0 to 255,
``(n, 3, y, x)``, to logits: one channel per pixel for two classes, else one per class.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.errors import UnknownNameError
from ..core.table import Table

if TYPE_CHECKING:
    from torch import nn

    from ._torch import TorchModel

MODELS = Table("model", {"droplet-net": "napari_steatosis.models.droplet_net:DropletNet"})
"""Architecture to the class that builds it."""

SHIPPED = ("steatosis-he", "steatosis-he-drawn")
"""Trained models that come with the package, the default first."""

WEIGHTS = Path(__file__).parent / "weights"


def build(architecture: str, **parameters: Any) -> nn.Module:
    """Return an untrained network.

    Parameters
    ----------
    architecture : str
        Row of `MODELS`.
    **parameters
        Arguments of the architecture, as in `ModelSpec.parameters`.

    Raises
    ------
    UnknownNameError
        Where no architecture has this name.

    Examples
    --------
    >>> build("droplet-net", channels=(8, 16), down=(1, 1), up=(1,)).stride_px
    4
    """
    network: nn.Module = MODELS[architecture](**parameters)
    return network


def load_model(
    name_or_folder: str | Path, *, device: str = "auto", precision: str = "auto"
) -> TorchModel:
    """Return a trained model, ready to predict.

    Parameters
    ----------
    name_or_folder : str or Path
        One of `SHIPPED`, or a folder that `save_model` wrote.
    device : {"auto", "cpu", "cuda", "mps"}
        Where to compute; ``"auto"`` takes a GPU where there is one.
    precision : {"auto", "fp32", "bf16", "fp16"}
        Arithmetic; ``"auto"`` takes what the device is fastest at.

    Raises
    ------
    UnknownNameError
        Where no shipped model has this name and there is no such folder.
    ModelFileError
        Where the folder is incomplete, damaged or of an architecture unknown here.
    BadValueError
        Where the device or precision cannot be had.

    Examples
    --------
    >>> load_model("steatosis-he", device="cpu").spec.classes
    ('tissue', 'fat')
    """
    from ._torch import TorchModel

    return TorchModel.load(shipped_folder(name_or_folder), device=device, precision=precision)


def save_model(model: TorchModel, folder: str | Path) -> None:
    """Write ``model.safetensors`` (half precision) and ``model.json`` into a folder.

    An existing model in the folder is replaced. The digest of the model does not change.
    """
    from ._folder import write_folder

    write_folder(Path(folder), model.spec, model.state)


def shipped_folder(name_or_folder: str | Path) -> Path:
    """Return the folder of a shipped model, or the folder that was given."""
    if str(name_or_folder) in SHIPPED:
        return WEIGHTS / str(name_or_folder)
    folder = Path(name_or_folder)
    if not folder.exists() and len(folder.parts) == 1:
        raise UnknownNameError(
            f"There is no model named {str(name_or_folder)!r}, and no such folder. Shipped: "
            f"{', '.join(SHIPPED)}. Or give the folder of a model that you trained."
        )
    return folder
