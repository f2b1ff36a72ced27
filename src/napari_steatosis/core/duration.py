"""A length of time in words."""

from __future__ import annotations

import math


def duration(seconds: float) -> str:
    """Return a time as people say it; a question mark where it is NaN.

    Examples
    --------
    >>> duration(42.3), duration(250), duration(7300)
    ('42 s', '4 min', '2 h 2 min')
    """
    if math.isnan(seconds):
        return "?"
    if seconds < 90:
        return f"{max(1, round(seconds))} s" if seconds else "0 s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
