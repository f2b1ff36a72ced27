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
        What the model sees: the full-size inner square plus the halo. It may stick out of
        the plane, where reading mirrors.
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

    Examples
    --------
    >>> grid = Grid(1000, 600, tile_px=512, halo_px=64)
    >>> len(grid), grid[3].inner
    (4, Region(y=512, x=512, height=488, width=88))
    """

    height: int
    width: int
    tile_px: int
    halo_px: int = 0

    def __post_init__(self) -> None:
        if self.tile_px < 1 or self.halo_px < 0 or self.height < 1 or self.width < 1:
            raise BadValueError(
                f"A grid needs a plane and tiles of at least 1 px and a halo of at least 0 px, "
                f"got plane {self.height} x {self.width}, tile {self.tile_px}, "
                f"halo {self.halo_px}."
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
        full = Region(y=y, x=x, height=self.tile_px, width=self.tile_px)
        inner = Region(
            y=y,
            x=x,
            height=min(self.tile_px, self.height - y),
            width=min(self.tile_px, self.width - x),
        )
        return Tile(index, inner, full.grow(self.halo_px))

    def __iter__(self) -> Iterator[Tile]:
        return (self[index] for index in range(len(self)))
