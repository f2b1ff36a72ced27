"""Maps of features as sequences: the order in which they are read, and how many there are."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor

from ..core.errors import BadValueError

Scan = Literal["raster", "snake", "hilbert"]
SCANS: tuple[Scan, ...] = ("raster", "snake", "hilbert")


def scan_order(rows: int, columns: int, scan: Scan) -> Tensor:
    """Return where each place of a sequence lies in a map that is read row by row.

    ``"raster"`` reads every row from the left; ``"snake"`` every second one from the right, so
    that what follows is always a neighbour; ``"hilbert"`` follows Hilbert's curve, on which
    places that are near on the map stay near in both directions.

    Parameters
    ----------
    rows, columns : int
        Of the map. For ``"hilbert"`` equal, and a power of two.
    scan : {"raster", "snake", "hilbert"}

    Returns
    -------
    (rows * columns,) int64
        ``tokens[:, order]`` reads ``(n, rows * columns, feature)`` in this order;
        ``order.argsort()`` leads back.

    Raises
    ------
    BadValueError
        Where the map has no such curve.

    Examples
    --------
    >>> scan_order(2, 3, "snake").tolist()
    [0, 1, 2, 5, 4, 3]
    >>> scan_order(2, 2, "hilbert").tolist()
    [0, 2, 3, 1]
    """
    if scan == "hilbert":
        return torch.tensor(_hilbert(rows, columns))
    row, column = torch.arange(rows)[:, None], torch.arange(columns)[None]
    if scan == "snake":
        column = torch.where(row % 2 == 1, columns - 1 - column, column)
    return (row * columns + column).flatten()


def check_scan(scan: str) -> None:
    """Raise `BadValueError` where there is no such order."""
    if scan not in SCANS:
        raise BadValueError(f"There is no scan {scan!r}. Use one of {', '.join(SCANS)}.")


def cell_means(x: Tensor, rows: int, columns: int) -> Tensor:
    """Average a map of any size over a grid of cells, as ``adaptive_avg_pool2d`` does.

    Written as two matrix products, so that sizes stay free when the network is exported and
    gradients are the same on every run on a GPU.

    Parameters
    ----------
    x : (n, c, y, x)
    rows, columns : int
        Of the result. Where they are those of the map it stays as it is.

    Examples
    --------
    >>> cell_means(torch.arange(6.0).view(1, 1, 2, 3), 1, 3).flatten().tolist()
    [1.5, 2.5, 3.5]
    """
    down, across = _shares(x.shape[2], rows, x), _shares(x.shape[3], columns, x)
    return down @ x @ across.transpose(0, 1)


def at_most(size: int, most: int) -> int:
    """Return the smaller of two numbers, the first of which may be that of an unknown image.

    Examples
    --------
    >>> at_most(100, 64), at_most(14, 64)
    (64, 14)
    """
    if isinstance(size, Tensor):  # in a trace for TorchScript sizes are tensors
        return size.clamp(max=most)
    least: Any = torch.sym_min(size, most)
    return least


def _shares(size: int, cells: int, like: Tensor) -> Tensor:
    """Return what each place of a line adds to each cell, ``(cells, size)``."""
    place, cell = (torch.arange(n, device=like.device) for n in (size, cells))
    first = torch.div(cell * size, cells, rounding_mode="floor")[:, None]
    beyond = torch.div((cell + 1) * size + cells - 1, cells, rounding_mode="floor")[:, None]
    inside = (place >= first) & (place < beyond)
    return inside.to(like.dtype) / (beyond - first).to(like.dtype)


def _hilbert(rows: int, columns: int) -> list[int]:
    if rows != columns or rows & (rows - 1):
        raise BadValueError(
            f"Hilbert's curve fills squares of 1, 2, 4, 8 ... places a side, got {rows} x "
            f"{columns}. Use scan='snake'."
        )
    return [_on_hilbert(step, rows) for step in range(rows * columns)]


def _on_hilbert(step: int, side: int) -> int:
    """Return where a step of the curve lies: quadrants from the finest to the coarsest."""
    row = column = 0
    part = 1
    while part < side:
        right, down = 1 & (step // 2), 1 & (step ^ (step // 2))
        if not down:
            if right:
                row, column = part - 1 - row, part - 1 - column
            row, column = column, row
        row, column = row + part * down, column + part * right
        step, part = step // 4, part * 2
    return row * side + column
