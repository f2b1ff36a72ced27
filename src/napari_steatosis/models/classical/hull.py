"""Convex hulls of all candidates at once, and how far their rims lie inside them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .parts import Doubles, Ints, Parts


@dataclass(frozen=True, eq=False)
class Hulls:
    """Convex hulls of pixel centres, as polygons.

    Parameters
    ----------
    y, x : (corners,) int64
        Corners, candidate by candidate, counter-clockwise in (x, y) with y downwards.
    start, count : (n,) int64
        Where the corners of each candidate begin, and how many there are.
    """

    y: Ints
    x: Ints
    start: Ints
    count: Ints

    @classmethod
    def of(cls, parts: Parts) -> Hulls:
        """Return the hulls: only the first and last pixel of a row can lie on one.

        The chains on the left and on the right are found as Andrew does (1979), row by row for
        all candidates at a time.
        """
        runs = parts.runs
        new = np.append(True, (np.diff(runs.part) != 0) | (np.diff(runs.y) != 0))
        first = np.flatnonzero(new)
        y, left = runs.y[first], runs.x[first]
        right = np.append(runs.x_end[first[1:] - 1], runs.x_end[-1:]) - 1
        rows = np.bincount(runs.part[first], minlength=len(parts))
        start = np.cumsum(rows) - rows
        one, one_count = _chain(y, left, start, rows, 1)
        other, other_count = _chain(y, right, start, rows, -1)
        count = one_count + other_count
        corner = np.cumsum(count) - count
        corner_y, corner_x = np.empty(count.sum(), np.int64), np.empty(count.sum(), np.int64)
        down, k = _each(start, one_count)
        part = np.repeat(np.arange(len(parts)), one_count)
        corner_y[corner[part] + k], corner_x[corner[part] + k] = y[one[down]], left[one[down]]
        up, k = _each(start, other_count)
        part = np.repeat(np.arange(len(parts)), other_count)
        place = corner[part] + count[part] - 1 - k
        corner_y[place], corner_x[place] = y[other[up]], right[other[up]]
        return cls(corner_y, corner_x, corner, count)

    def sides(self) -> tuple[Ints, Ints, Ints]:
        """Return candidate, height and width of the vector from each corner to the next, px."""
        part = np.repeat(np.arange(len(self.count)), self.count)
        following = np.arange(len(self.y)) + 1
        last = self.start + self.count - 1
        following[last] = self.start
        return part, self.y[following] - self.y, self.x[following] - self.x

    def pixels(self) -> Ints:
        """Return how many pixels have their centre in each hull or on it (Pick's theorem)."""
        part, dy, dx = self.sides()
        own_y, own_x = self.y - self.y[self.start][part], self.x - self.x[self.start][part]
        double = np.abs(np.add.reduceat(own_x * dy - own_y * dx, self.start))
        on_rim = np.add.reduceat(np.gcd(np.abs(dy), np.abs(dx)), self.start)
        return (double + on_rim) // 2 + 1

    def depth(self, part: Ints, y: Ints, x: Ints) -> Doubles:
        """Return how deep points lie in the hull of their candidate, px; sorted by candidate.

        In a convex polygon the nearest side is the one whose line is nearest.
        """
        own, dy, dx = self.sides()
        real = (dy != 0) | (dx != 0)
        sides = np.bincount(own[real], minlength=len(self.count))
        first = np.cumsum(sides) - sides
        corner_y, corner_x, dy, dx = self.y[real], self.x[real], dy[real], dx[real]
        found = np.zeros(len(y))
        inside = np.flatnonzero(sides[part] > 0)
        if not len(inside):
            return found
        each = sides[part[inside]]
        begin = np.cumsum(each) - each
        point = np.repeat(inside, each)
        side = first[part[point]] + np.arange(len(point)) - np.repeat(begin, each)
        across = (x[point] - corner_x[side]) * dy[side] - (y[point] - corner_y[side]) * dx[side]
        away = np.abs(across) / np.hypot(dy[side], dx[side])
        found[inside] = np.minimum.reduceat(away, begin)
        return found


def _each(start: Ints, count: Ints) -> tuple[Ints, Ints]:
    """Return ``start[i] + k`` and ``k`` for every k below ``count[i]``."""
    k = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    return np.repeat(start, count) + k, k


def _chain(y: Ints, x: Ints, start: Ints, rows: Ints, side: int) -> tuple[Ints, Ints]:
    """Return which row ends lie on a convex chain, and how many of each candidate.

    Parameters
    ----------
    y, x : (ends,) int64
        One end of each row, candidate by candidate, from top to bottom.
    start, rows : (n,) int64
        Where those of each candidate begin, and how many there are.
    side : int
        1 for left ends, -1 for right ones.

    Returns
    -------
    chain : (ends,) int64
        From ``start`` on, the rows on the chain.
    count : (n,) int64
    """
    chain, count = np.zeros(len(y), np.int64), np.zeros(len(start), np.int64)
    order = np.argsort(-rows, kind="stable")
    descending = -rows[order]
    for k in range(int(rows.max(initial=0))):
        active = order[: np.searchsorted(descending, -k, side="left")]
        todo = active[count[active] >= 2]
        while len(todo):
            top = start[todo] + count[todo]
            a, b, c = chain[top - 2], chain[top - 1], start[todo] + k
            bulge = (y[b] - y[a]) * (x[c] - x[a]) - (x[b] - x[a]) * (y[c] - y[a])
            todo = todo[side * bulge <= 0]
            count[todo] -= 1
            todo = todo[count[todo] >= 2]
        chain[start[active] + count[active]] = start[active] + k
        count[active] += 1
    return chain, count


def rim_depth(parts: Parts, hulls: Hulls) -> tuple[Doubles, Doubles]:
    """Return mean and standard deviation of the rim's distance to the hull, px, per candidate."""
    rim: NDArray[np.bool_] = parts.rim
    part = parts.part[rim]
    depth = hulls.depth(part, parts.y[rim], parts.x[rim])
    count = np.bincount(part, minlength=len(parts))
    start = np.cumsum(count) - count
    mean = np.add.reduceat(depth, start) / count
    spread = np.add.reduceat((depth - mean[part]) ** 2, start) / count
    return mean, np.sqrt(spread)
