"""Numbers that depend on a place and a seed only: hashed lattices and smooth noise."""

from __future__ import annotations

from dataclasses import dataclass
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Ints = NDArray[np.int64]


def key_of(seed: int, name: str) -> int:
    """Return a 32-bit key of a named random quantity of one drawn liver."""
    return crc32(f"{seed}/{name}".encode())


def uniform(i: Ints, j: Ints, key: int) -> Floats:
    """Return reproducible numbers in [0, 1) for integer lattice points.

    The bits are mixed by two rounds of multiply and shift (xorshift-multiply), so
    neighbouring points and keys are unrelated.

    Examples
    --------
    >>> point = np.array([3])
    >>> bool(uniform(point, point, 7)[0] == uniform(point, point, 7)[0])
    True
    """
    mask = np.int64(0xFFFFFFFF)
    bits = ((i & mask) * 0x9E3779B1 + (j & mask) * 0x85EBCA77 + key).astype(np.uint32)
    bits ^= np.uint32(key_mix(key))
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        bits ^= bits >> np.uint32(shift)
        bits *= np.uint32(factor)
    bits ^= bits >> np.uint32(16)
    return (bits >> np.uint32(8)).astype(np.float32) * np.float32(2.0**-24)


def key_mix(key: int) -> int:
    """Return 32 bits that differ wildly for neighbouring keys."""
    return (key * 0xC2B2AE35 + 0x27D4EB2F) & 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle of tissue, um."""

    y: float
    x: float
    y_end: float
    x_end: float

    def grow(self, um: float) -> Box:
        """Return the rectangle with `um` more on each side."""
        return Box(self.y - um, self.x - um, self.y_end + um, self.x_end + um)

    def holds(self, y: Doubles, x: Doubles) -> NDArray[np.bool_]:
        """Return which points lie inside."""
        return (y >= self.y) & (y < self.y_end) & (x >= self.x) & (x < self.x_end)


@dataclass(frozen=True, slots=True)
class Lattice:
    """One jittered point per square of side `pitch_um`.

    Parameters
    ----------
    seed : int
        Seed of the drawn liver.
    name : str
        What the points are; different names give unrelated points.
    pitch_um : float
        Side of a square, um.
    jitter : float
        Share of the square in which the point may lie; 0 is a regular grid.
    """

    seed: int
    name: str
    pitch_um: float
    jitter: float = 0.7

    def squares(self, box: Box) -> tuple[Ints, Ints]:
        """Return row and column indices, each ``(rows, columns)``, of the squares in a box."""
        i = np.arange(np.floor(box.y / self.pitch_um), np.ceil(box.y_end / self.pitch_um))
        j = np.arange(np.floor(box.x / self.pitch_um), np.ceil(box.x_end / self.pitch_um))
        grid = np.meshgrid(i.astype(np.int64), j.astype(np.int64), indexing="ij")
        return grid[0], grid[1]

    def draw(self, i: Ints, j: Ints, name: str) -> Floats:
        """Return a number in [0, 1) per square, for the quantity `name`."""
        return uniform(i, j, key_of(self.seed, f"{self.name}/{name}"))

    def points(self, i: Ints, j: Ints) -> tuple[Doubles, Doubles]:
        """Return the points of the squares, um."""
        y = i + 0.5 + self.jitter * (self.draw(i, j, "y").astype(np.float64) - 0.5)
        x = j + 0.5 + self.jitter * (self.draw(i, j, "x").astype(np.float64) - 0.5)
        return y * self.pitch_um, x * self.pitch_um


def noise(y: Doubles, x: Doubles, pitch_um: float, key: int) -> Floats:
    """Return smooth value noise in [0, 1) at points.

    Parameters
    ----------
    y, x : float64
        Points, um; they broadcast, so a column and a row give a grid.
    pitch_um : float
        Distance of the lattice points whose random values are interpolated, um.
    key : int
        See `key_of`.
    """
    v, u = y / pitch_um, x / pitch_um
    i, j = np.floor(v).astype(np.int64), np.floor(u).astype(np.int64)
    if i.size == 0 or j.size == 0:
        return np.zeros(np.broadcast_shapes(y.shape, x.shape), np.float32)
    wy, wx = _eased(v - i), _eased(u - j)
    first = (i.min(), j.min())
    nodes = uniform(
        np.arange(first[0], i.max() + 2)[:, None], np.arange(first[1], j.max() + 2)[None, :], key
    )
    i, j = i - first[0], j - first[1]
    if y.ndim == 2 and y.shape[1] == 1 and x.ndim == 2 and x.shape[0] == 1:
        columns, w = j[0], wx[0]
        across = nodes[:, columns] + w * (nodes[:, columns + 1] - nodes[:, columns])
        rows = i[:, 0]
        top = across[rows]
        return top + wy * (across[rows + 1] - top)
    top = nodes[i, j] + wx * (nodes[i, j + 1] - nodes[i, j])
    bottom = nodes[i + 1, j] + wx * (nodes[i + 1, j + 1] - nodes[i + 1, j])
    return top + wy * (bottom - top)


def _eased(weight: Doubles) -> Floats:
    w = weight.astype(np.float32)
    return w * w * (3 - 2 * w)
