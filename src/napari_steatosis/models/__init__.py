"""Networks, and the folders they are kept in. Nothing here imports torch before it is used.

A new architecture is one file and one row of `MODELS`; its class maps RGB of 0 to 255,
``(n, 3, y, x)``, to logits: one channel per pixel for two classes, else one per class; a
classifier, whose `task` says so, gives ``(n, class)``. It states `stride_px`, and `reach_px`:
how far beyond its edges a tile must see, None where no halo will do. It names parts of itself:
`backbone_names`, which weights from elsewhere go into, `head_names`, which stand for the classes,
and `cam_layers`, whose maps explain an answer.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.errors import BadValueError, ModelFileError, UnknownNameError
from ..core.table import Table
from ._names import read_name

if TYPE_CHECKING:
    from torch import nn

    from ..core.model import Model
    from ._foreign import ForeignModel
    from ._torch import TorchModel
    from .classical.model import ClassicalModel

MODELS = Table(
    "model",
    {
        "droplet-net": "napari_steatosis.models.droplet_net:DropletNet",
        "valid-unet": "napari_steatosis.models.valid_unet:ValidUNet",
        "smp": "napari_steatosis.models.smp_models:SmpNetwork",
        "timm": "napari_steatosis.models.timm_models:TimmClassifier",
        "hybrid-convformer": "napari_steatosis.models.hybrid_convformer:HybridConvFormer",
        "resnet50": "napari_steatosis.models.resnet_vgg:ResNet50",
        "vgg16": "napari_steatosis.models.resnet_vgg:Vgg16",
        "resnet-vgg": "napari_steatosis.models.resnet_vgg:ResNetVgg",
        "cnn-rnn": "napari_steatosis.models.cnn_rnn:CnnRnn",
        "cnn-fc": "napari_steatosis.models.cnn_rnn:CnnFc",
        "cnn-lstm-attention": "napari_steatosis.models.cnn_lstm_attention:CnnLstmAttention",
        "fibrosis-hue": "napari_steatosis.models.fibrosis_hue:FibrosisHue",
    },
)
"""Architecture to the class that builds it."""

PUBLISHED: dict[str, dict[str, Any]] = {
    "valid-unet": {"strict": True},
    "hybrid-convformer": {"backbone": "resnet50"},
    "vgg16": {"features": "flatten"},
    "resnet-vgg": {"resnet": "resnet50", "vgg": "vgg16", "vgg_features": "fc2"},
    "cnn-rnn": {"backbone": "resnet50"},
    "cnn-fc": {"backbone": "resnet50"},
}
"""Arguments that make a network as large as it was published; the others are so by default."""

WITHOUT_NETWORK = Table(
    "model without a network",
    {"classical": "napari_steatosis.models.classical.model:ClassicalModel"},
)
"""Architecture to the class that is the model, with `load` and `state` as a network's has."""

MODEL_FORMATS = Table(
    "model format",
    {
        "torchscript": "napari_steatosis.models.torchscript:open_model",
        "onnx": "napari_steatosis.models.onnx:open_model",
        "bioimageio": "napari_steatosis.models.bioimageio:open_model",
        "wsinfer": "napari_steatosis.models.wsinfer:open_model",
    },
)
"""Formats of other programs: each opens a path, or gives None where it is of another format."""

EXPORTS = Table(
    "export format",
    {
        "torchscript": "napari_steatosis.models.torchscript:write_model",
        "onnx": "napari_steatosis.models.onnx:write_model",
        "bioimageio": "napari_steatosis.models.bioimageio:write_model",
        "wsinfer": "napari_steatosis.models.wsinfer:write_model",
    },
)
"""Formats of other programs that a model can be written in."""

SHIPPED = ("steatosis-he", "steatosis-he-drawn")
"""Trained models that come with the package, the default first."""

SHIPPED_FOR_WHITES = ("white-regions-drawn",)
"""Trained models that tell white places apart by kind; `white_regions` takes the first."""

WEIGHTS = Path(__file__).parent / "weights"


def build(architecture: str, /, **parameters: Any) -> nn.Module:
    """Return an untrained network.

    Parameters
    ----------
    architecture : str
        Row of `MODELS`; of ``smp`` and ``timm`` also with what is wanted of the library:
        ``"smp:unet/resnet34"``, ``"timm:caformer_s18"``.
    **parameters
        Arguments of the architecture, as in `ModelSpec.parameters`.

    Raises
    ------
    UnknownNameError
        Where no architecture has this name.
    BadValueError
        Where the name says one thing and `parameters` another.

    Examples
    --------
    >>> build("droplet-net", channels=(8, 16), down=(1, 1), up=(1,)).stride_px
    4
    >>> build("timm:resnet18", classes=5).head_names
    ('network.fc',)
    """
    row, named = read_name(architecture, parameters)
    network: nn.Module = MODELS[row](**{**parameters, **named})
    return network


def load_model(
    name_or_path: str | Path, *, device: str = "auto", precision: str = "auto"
) -> TorchModel | ForeignModel | ClassicalModel:
    """Return a trained model, ready to predict.

    Parameters
    ----------
    name_or_path : str or Path
        One of `SHIPPED` or `SHIPPED_FOR_WHITES`, a folder that `save_model` wrote, or a model
        of another program in one of `MODEL_FORMATS`: a TorchScript or ONNX file with a JSON file
        beside it, a bioimage.io package, a WSInfer folder.
    device : {"auto", "cpu", "cuda", "cuda:1", "mps"}
        Where to compute; ``"auto"`` takes a GPU where there is one.
    precision : {"auto", "fp32", "bf16", "fp16"}
        Arithmetic; ``"auto"`` takes what the device is fastest at. A model of another program
        computes in the precision that it was written in.

    Raises
    ------
    UnknownNameError
        Where no shipped model has this name and there is no such folder.
    ModelFileError
        Where a file is missing, damaged, of an architecture or format unknown here, or where a
        model does not say what must be known of it; the message says where to state it.
    MissingPackageError
        Where the format needs a package that is not installed.
    BadValueError
        Where the device or precision cannot be had.

    Examples
    --------
    >>> load_model("steatosis-he", device="cpu").spec.classes
    ('tissue', 'fat')
    """
    from ._seam import architecture_of
    from ._torch import TorchModel

    path = shipped_folder(name_or_path)
    if not (path / "model.json").is_file():
        for name in MODEL_FORMATS:
            model = MODEL_FORMATS[name](path, device=device, precision=precision)
            if model is not None:
                return model
        if path.is_file():
            raise ModelFileError(
                f"{path} is no model of a format that is known here: {', '.join(MODEL_FORMATS)}, "
                f"or a folder with model.json. Known files end in .pt, .pts, .torchscript, .onnx "
                f"or .zip."
            )
    architecture = architecture_of(path)
    if architecture in WITHOUT_NETWORK:
        classical: ClassicalModel = WITHOUT_NETWORK[architecture].load(
            path, device=device, precision=precision
        )
        return classical
    return TorchModel.load(path, device=device, precision=precision)


def save_model(
    model: TorchModel | ClassicalModel, folder: str | Path, *, made: dict[str, Any] | None = None
) -> None:
    """Write ``model.safetensors`` (half precision) and ``model.json`` into a folder.

    An existing model in the folder is replaced. The digest of the model does not change. `made`
    says what it was made of and with, in plain values.
    """
    from ._folder import write_folder

    write_folder(Path(folder), model.spec, model.state, made)


def export_model(
    model: Model, path: str | Path, *, to: str, overwrite: bool = False, **about: Any
) -> Path:
    """Write a model in a format of other programs; it appears whole or not at all.

    What is written takes pixels as the format has them and is equal to the model in float32 to
    0.001 in probability, which is checked before anything is written.

    Parameters
    ----------
    model : Model
        Of this package: shipped, or from a folder that `save_model` wrote.
    path : str or Path
        File or folder to write.
    to : str
        Row of `EXPORTS`.
    overwrite : bool
        Replace what is there.
    **about
        For bioimage.io: `authors` (list of names), `licence` (an SPDX identifier).

    Returns
    -------
    Path
        What was written.

    Raises
    ------
    UnknownNameError
        Where there is no such format.
    BadValueError
        Where the path is taken, the format cannot hold such a model, or the model is not ours.
    MissingPackageError
        Where the format needs a package that is not installed.

    Examples
    --------
    >>> export_model(load_model("steatosis-he-drawn", device="cpu"), "he.pt", to="torchscript").name
    'he.pt'
    """
    if model.spec.preparation:
        raise BadValueError(
            f"{model.spec.name} prepares its images ({model.spec.preparation}), which no format of "
            f"another program says. Use it in this one, or train it without preparation."
        )
    EXPORTS[to](model, Path(path), overwrite=overwrite, **about)
    return Path(path)


def shipped_folder(name_or_folder: str | Path) -> Path:
    """Return the folder of a shipped model, or the folder that was given."""
    if str(name_or_folder) in SHIPPED + SHIPPED_FOR_WHITES:
        return WEIGHTS / str(name_or_folder)
    folder = Path(name_or_folder)
    if not folder.exists() and len(folder.parts) == 1:
        raise UnknownNameError(
            f"There is no model named {str(name_or_folder)!r}, and no such folder. Shipped: "
            f"{', '.join(SHIPPED + SHIPPED_FOR_WHITES)}. Or give the folder of a model that you "
            f"trained, or the file or folder of a model of another program."
        )
    return folder
