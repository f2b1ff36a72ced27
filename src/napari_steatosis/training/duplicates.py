"""Copies among images: the same pixels, or nearly the same picture."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..core.dataset import Dataset
from ..core.errors import BadValueError
from ..imaging.picture_hash import difference_hash, near_pairs


def clusters_of(hashes: Sequence[int | None], most_bits: int = 4) -> NDArray[np.int64]:
    """Return for every picture the number of its cluster of near-duplicates.

    Chains join: where A is like B and B like C, all three are one cluster. A picture without
    a hash is alone.

    Examples
    --------
    >>> clusters_of([0, 0b1111, 2**63, None, None]).tolist()
    [0, 0, 0, 1, 2]
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    known = [value for value in hashes if value is not None]
    values, place = np.unique(np.array(known, np.uint64), return_inverse=True)
    pairs = near_pairs(values, most_bits)
    ones = np.ones(len(pairs), bool)
    graph = coo_array((ones, (pairs[:, 0], pairs[:, 1])), shape=(len(values),) * 2)
    count, member = connected_components(graph, directed=False)
    found, alone, at = np.empty(len(hashes), np.int64), count, iter(place)
    for index, value in enumerate(hashes):
        if value is None:
            found[index], alone = alone, alone + 1
        else:
            found[index] = member[next(at)]
    return np.unique(found, return_inverse=True)[1]


def group_duplicates(data: Dataset, *, near_bits: int = 4) -> Dataset:
    """Return the dataset with near-duplicates as groups that a split keeps together.

    Where patients are known, those that share near-duplicates become one group; an image
    without a patient belongs to that of its near-duplicates, else to itself. Every image is
    read once. The groups are a stand-in: two different images of one patient still come
    apart, and `Dataset.notes` says so.

    Parameters
    ----------
    data : Dataset
        With images that can be read.
    near_bits : int
        As in `validate`.

    Raises
    ------
    CannotOpenError
        Where an image cannot be read.
    BadValueError
        Where there is no sample.

    Examples
    --------
    >>> from napari_steatosis.core.dataset import ArraySource, Sample
    >>> one = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    >>> data = Dataset(tuple(Sample(name, ArraySource(one)) for name in ("a", "b")))
    >>> [sample.patient for sample in group_duplicates(data)]
    ['group 1', 'group 1']
    """
    if not data.samples:
        raise BadValueError(f"{data.root}: there is no sample to group.")
    clusters = clusters_of([difference_hash(one.image()) for one in data], near_bits)
    joined = _joined([one.patient for one in data], clusters)
    members: dict[int, set[str]] = defaultdict(set)
    for one, group in zip(data, joined, strict=True):
        members[group] |= {one.patient} - {""}
    names = {
        group: "+".join(sorted(patients)) if patients else f"group {group + 1}"
        for group, patients in members.items()
    }
    samples = tuple(
        replace(one, patient=names[group]) for one, group in zip(data, joined, strict=True)
    )
    note = (
        "Groups of near-duplicates stand in for patients: different images of one patient may "
        "still be on both sides of a split."
    )
    return replace(data, samples=samples, notes=(*data.notes, note))


def _joined(patients: Sequence[str], clusters: NDArray[np.int64]) -> list[int]:
    """Return groups in which neither a known patient nor a cluster is divided."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    first = int(clusters.max()) + 1
    number = {name: first + n for n, name in enumerate(dict.fromkeys(patients))}
    edges = [(c, number[p]) for c, p in zip(clusters.tolist(), patients, strict=True) if p]
    ends = np.array(edges, np.int64).reshape(-1, 2)
    size = first + len(number)
    ones = np.ones(len(ends), bool)
    graph = coo_array((ones, (ends[:, 0], ends[:, 1])), shape=(size, size))
    member = connected_components(graph, directed=False)[1][clusters]
    return [int(one) for one in np.unique(member, return_inverse=True)[1]]
