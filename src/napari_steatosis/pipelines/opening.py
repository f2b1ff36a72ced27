"""Why a path opens as it does, with what its colours look like."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

from ..core.errors import UnreadableRegionError
from ..core.explanation import Explanation, Judgement
from ..imaging import guess_stain, looks_swapped
from ..io import explain_open as explain_reading


def explain_open(path: str | os.PathLike[str], **asked: Any) -> Explanation:
    """Say which reader opens a path and what it holds, or why each reader refused.

    Beyond the header, a few small regions are read to guess the stain and to notice red and
    blue that were swapped.

    Parameters
    ----------
    path : str or path
        A file, or a folder for OME-Zarr, DICOM and tiles.
    **asked
        As for `open_slide`: ``um_per_px``, ``srgb``, ``swap_red_blue``.

    Returns
    -------
    Explanation
        ``str(...)`` is a text, ``.to_json()`` plain values, ``.slide`` the opened slide.

    Examples
    --------
    >>> print(explain_open("no/such/file.svs"))
    no/such/file.svs: there is no such file or folder.
    """
    found = explain_reading(path, **asked)
    if found.slide is None:
        return found
    try:
        stain, order = guess_stain(found.slide), looks_swapped(found.slide)
    except UnreadableRegionError as error:
        unread = Judgement("not known", str(error))
        return replace(found, stain=unread, channel_order=unread)
    return replace(
        found,
        stain=Judgement(stain.name, stain.reason),
        channel_order=Judgement(order.verdict, order.reason),
    )
