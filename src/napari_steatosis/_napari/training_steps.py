"""What the form *Train* asks for, and the steps that train in a process of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..core.errors import BadValueError
from .job import Steps

if TYPE_CHECKING:
    from ..core.dataset import Dataset
    from ..training.process import TrainingProcess
    from ..training.rows import Row

AUTO, IMAGES, NOTHING = "Other patients", "Single images (optimistic)", "Nothing"
HELD_OUT = 0.2


@dataclass(frozen=True, eq=False)
class Asked:
    """What the fields of the form ask for.

    Parameters
    ----------
    data : str
        Folder, zip file or table of samples.
    architecture : str
        Row of MODELS, a shipped model, or the folder of one to go on from.
    out : str
        Folder for the model.
    judged_on : str
        `AUTO` (an official set where there is one), `IMAGES` or `NOTHING`.
    um_per_px : float, optional
        Size of a pixel of images for which no table states it.
    how : dict
        Other arguments of `napari_steatosis.training.train.train`.
    """

    data: str
    architecture: str
    out: str
    judged_on: str = AUTO
    um_per_px: float | None = None
    how: dict[str, Any] = field(default_factory=dict)

    def datasets(self) -> tuple[Dataset, Dataset | None]:
        """Return what to train on, and what to judge on."""
        from ..io import open_dataset

        data = open_dataset(self.data, um_per_px=self.um_per_px)
        if self.judged_on == NOTHING:
            return data, None
        sets = {one.split for one in data}
        official = "train" in sets and sets & {"val", "test"}
        by = "image" if self.judged_on == IMAGES else "official" if official else "patient"
        seed = int(self.how.get("seed", 0))
        try:
            training, held = data.split(by, held_out=HELD_OUT, seed=seed)
        except BadValueError as error:
            raise BadValueError(
                f"{error} Or choose another entry under 'Judge on': {IMAGES} or {NOTHING}."
            ) from error
        return training, held

    def steps(self, on_process: Callable[[TrainingProcess], None]) -> Steps:
        """Return the steps of a job; they yield the rows of the training.

        Parameters
        ----------
        on_process : callable
            Called in the worker with the process, which can be paused and cancelled.
        """

        def steps(should_stop: Callable[[], bool]) -> Iterator[Row]:
            from ..training.process import TrainingProcess
            from ..training.rows import Notice

            training, held = self.datasets()
            judged = f", {len(held)} to judge on" if held is not None else ""
            yield Notice(f"{len(training)} samples to train on{judged}.")
            how = {**self.how, "out": self.out, "resume": True}
            with TrainingProcess(self.architecture, training, held, **how) as process:
                on_process(process)
                yield from process.rows()

        return steps
