"""What steps without tiles say while they are at work."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Stage:
    """A step without tiles has begun.

    Parameters
    ----------
    text : str
        What is being done, for a status line.
    """

    text: str


@dataclass(frozen=True)
class Share:
    """How far the step is that began last.

    Parameters
    ----------
    done : float
        From 0 to 1.
    """

    done: float
