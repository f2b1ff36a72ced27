"""Tiles that cover a plane: what each owns and what it must see. Arithmetic, no pixels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .errors import BadValueError
from .geometry import Region


@dataclass(frozen=True, slots=True)
class Tile:
    """One cell of a `Grid`.

    Parameters
    ----------
    index : int
        Position in row-major order.
    inner : Region
        The pixels that the tile owns, inside the plane.
    outer : Region
        What the model sees: `inner`, rounded up to whole steps of the model, plus the halo.
        It may stick out of the plane, where reading mirrors.
    """

    index: int
    inner: Region
    outer: Region


@dataclass(frozen=True, slots=True)
class Grid:
    """A cover of a plane by squares of `tile_px` that own their pixels exactly once.

    Parameters
    ----------
    height, width : int
        The plane, px.
    tile_px : int
        Side of the square that a tile owns, px.
    halo_px : int
        Context on every side that a tile sees besides, px.
    multiple_px : int
        Step of the model: tiles begin at, and outer sides are, multiples of it.

    Examples
    --------
    >>> grid = Grid(1000, 600, tile_px=512, halo_px=64, multiple_px=16)
    >>> len(grid), grid[3].inner
    (4, Region(y=512, x=512, height=488, width=88))
    >>> grid[3].outer
    Region(y=448, x=448, height=624, width=224)
    """

    height: int
    width: int
    tile_px: int
    halo_px: int = 0
    multiple_px: int = 1

    def __post_init__(self) -> None:
        if min(self.height, self.width, self.tile_px, self.multiple_px) < 1 or self.halo_px < 0:
            raise BadValueError(
                f"A grid needs a plane, tiles and a step of at least 1 px and a halo of at "
                f"least 0 px, got plane {self.height} x {self.width}, tile {self.tile_px}, "
                f"halo {self.halo_px}, step {self.multiple_px}."
            )
        if self.tile_px % self.multiple_px or self.halo_px % self.multiple_px:
            raise BadValueError(
                f"Tile ({self.tile_px} px) and halo ({self.halo_px} px) must be multiples of "
                f"the model's step of {self.multiple_px} px."
            )

    @property
    def rows(self) -> int:
        """Number of tile rows."""
        return -(-self.height // self.tile_px)

    @property
    def columns(self) -> int:
        """Number of tile columns."""
        return -(-self.width // self.tile_px)

    def __len__(self) -> int:
        return self.rows * self.columns

    def __getitem__(self, index: int) -> Tile:
        if not 0 <= index < len(self):
            raise IndexError(f"tile {index} of a grid of {len(self)}")
        row, column = divmod(index, self.columns)
        y, x = row * self.tile_px, column * self.tile_px
        inner = Region(
            y=y,
            x=x,
            height=min(self.tile_px, self.height - y),
            width=min(self.tile_px, self.width - x),
        )
        step = self.multiple_px
        seen = Region(
            y=y,
            x=x,
            height=-(-inner.height // step) * step,
            width=-(-inner.width // step) * step,
        )
        return Tile(index, inner, seen.grow(self.halo_px))

    def __iter__(self) -> Iterator[Tile]:
        return (self[index] for index in range(len(self)))
