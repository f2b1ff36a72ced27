"""What runs on the workers of a cluster: unpack the job, see that all is there, compute."""

from __future__ import annotations

import asyncio
import hashlib
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

from ..core.errors import ClusterError, SteatosisError
from ..core.model import Model
from ..core.slide import Slide
from ..io import READERS, open_slide
from ..models._threads import use_threads

Arithmetic = tuple[tuple[str, str], ...]
"""`Model.arithmetic` as sorted pairs."""


class SlideJob(Protocol):
    """What is to be done to one slide with one model: a `Plan`, and its like. Picklable."""

    @property
    def slide(self) -> Slide:
        """The slide that is read."""
        ...

    @property
    def model(self) -> Model:
        """What predicts."""
        ...


@dataclass(frozen=True)
class Parcel:
    """A job or a model on its way to the workers, unpacked once per process.

    Parameters
    ----------
    key : str
        SHA-256 of the content.
    data : bytes
        The compressed pickle.
    """

    key: str
    data: bytes = field(compare=False, repr=False)

    @classmethod
    def of(cls, value: SlideJob | Model) -> Parcel:
        """Pack a value; what a script defines itself travels with it."""
        from distributed.protocol.pickle import dumps

        pickled = dumps(value)
        return cls(hashlib.sha256(pickled).hexdigest(), zlib.compress(pickled, 1))

    def open(self) -> Any:
        """Return the value; the last few of this process are kept."""
        return _unpacked(self)


@lru_cache(maxsize=4)
def _unpacked(parcel: Parcel) -> Any:
    from distributed.protocol.pickle import loads

    return loads(zlib.decompress(parcel.data))


async def answer(question: Callable[..., Any], given: tuple[Any, ...]) -> Any:
    """Answer in a thread, so that the worker can be reached meanwhile."""
    return await asyncio.to_thread(question, *given)


def same(parcel: Parcel) -> Parcel:
    """Return the parcel: as a task's result it is passed on from worker to worker."""
    return parcel


def arithmetic_of(parcel: Parcel) -> dict[str, str]:
    """Return what the model in a parcel computes in here."""
    model: Model = parcel.open()
    return dict(model.arithmetic)


def check(parcel: Parcel, arithmetic: Arithmetic) -> None:
    """Raise where this worker cannot do the job in a parcel."""
    _ready(parcel, arithmetic)


@lru_cache(maxsize=2)
def _ready(parcel: Parcel, arithmetic: Arithmetic) -> SlideJob:
    job: SlideJob = parcel.open()
    own = job.model.arithmetic
    if own != dict(arithmetic):
        raise ClusterError(
            f"it computes {job.model.spec.name!r} in {own}, and the run is in "
            f"{dict(arithmetic)}. Use workers of one kind."
        )
    _see(job.slide)
    return job


def _see(slide: Slide) -> None:
    if slide.reader not in READERS:
        return  # drawn, or in memory: it came with the job
    here = open_slide(slide.path, reader=slide.reader)
    if here.fingerprint != slide.fingerprint:
        raise ClusterError(f"{Path(slide.path).absolute()} is another slide there.")


def compute(
    parcel: Parcel, arithmetic: Arithmetic, task: Callable[[Any, Any], Any], part: Any
) -> Any:
    """Do one part of a job with one thread: a worker has as many parts at work as threads."""
    from distributed import get_worker

    use_threads(1)
    try:  # this worker may have come after the others were asked
        job = _ready(parcel, arithmetic)
    except SteatosisError as error:
        raise ClusterError(f"The worker {get_worker().address} cannot take part: {error}") from None
    return task(job, part)
