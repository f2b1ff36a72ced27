"""The steps of a package before and after its network, as ``bioimageio.core`` defines them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core.errors import ModelFileError
from .._foreign import Network, package
from .._sidecar import Scaling


def with_steps(described: Any, scaling: Scaling, run: Network, path: Path) -> Network:
    """Put the steps of a package around its network; each tile is a sample of its own.

    Parameters
    ----------
    described : bioimageio.spec.model.v0_5.ModelDescr
        Of a package that is supported.
    scaling : Scaling
        Brings RGB of 0 to 255 into the range that the package takes.
    run : callable
        The bare network.
    path : Path
        For messages.
    """
    arrays = package("xarray", "bioimageio")
    setup = package("bioimageio.core.proc_setup", "bioimageio")
    sample_of = package("bioimageio.core.sample", "bioimageio").Sample
    tensor_of = package("bioimageio.core.tensor", "bioimageio").Tensor.from_xarray
    before, after = setup.get_pre_and_postprocessing(described, dataset_for_initial_statistics=())
    given, found = described.inputs[0], described.outputs[0]
    ids = [axis.id for axis in given.axes]
    colour = next(axis.id for axis in given.axes if axis.type == "channel")
    names = [axis.id for axis in found.axes]
    classes = [axis.id for axis in found.axes if axis.type == "channel"]
    kept = classes + [name for name in ("y", "x") if name in names]

    def one(tile: NDArray[np.uint8]) -> NDArray[np.float32]:
        image = arrays.DataArray(scaling.apply(tile[None])[0], dims=[colour, "y", "x"])
        image = image.expand_dims([name for name in ids if name not in image.dims])
        sample = sample_of({given.id: tensor_of(image.transpose(*ids))}, {}, None)
        before(sample)
        raw = run(sample.members[given.id].data.to_numpy())
        if raw.ndim != len(names):
            raise ModelFileError(
                f"{path}: the network gives {raw.shape}, but its description has the axes "
                f"{', '.join(names)}. Ask its author."
            )
        result = sample_of(
            {found.id: tensor_of(arrays.DataArray(raw, dims=names))}, sample.stat, None
        )
        after(result)
        out = result.members[found.id].data
        out = out.squeeze([name for name in names if name not in kept]).transpose(*kept)
        values = out.to_numpy().astype(np.float32, copy=False)
        return values if classes else values[None]

    return lambda tiles: np.stack([one(tile) for tile in tiles])
