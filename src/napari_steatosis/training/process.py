"""A training in a process of its own: rows come back, and all its memory goes when it ends."""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import threading
from collections.abc import Iterator
from dataclasses import replace
from multiprocessing.connection import Connection
from typing import Any, Literal

from ..core.dataset import Dataset
from ..core.errors import BadValueError, SteatosisError
from .rows import Row, Trained

Order = Literal["pause", "resume", "cancel"]
Asked = tuple[str, Dataset, Dataset | None, dict[str, Any]]

PATIENCE_S = 10.0
"""How long a cancelled training may take to write its checkpoint before it is ended, s."""


class TrainingProcess:
    """A training in a process of its own.

    Memory and GPU are free when it has ended, however it ended. Cancelling writes a checkpoint
    into the folder `out`; the same call with ``resume=True`` goes on from it exactly.

    Parameters
    ----------
    architecture, training, validation, **how
        As for `napari_steatosis.training.train.train`; `out` is needed, because the model comes
        back as its folder.

    Raises
    ------
    BadValueError
        Where there is no `out`.

    Examples
    --------
    >>> from napari_steatosis.training.tiles import as_dataset, drawn_tiles
    >>> tiles = as_dataset(drawn_tiles(2, seed=1, side_px=64))
    >>> TrainingProcess("droplet-net", tiles)
    Traceback (most recent call last):
    ...
    napari_steatosis.core.errors.BadValueError: A training in a process of its own ...
    """

    def __init__(
        self, architecture: str, training: Dataset, validation: Dataset | None = None, **how: Any
    ) -> None:
        if how.get("out") is None:
            raise BadValueError(
                "A training in a process of its own needs a folder for the model; give out=..."
            )
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        asked = (architecture, training, validation, how)
        self._process = context.Process(
            target=serve, args=(theirs, asked), name="training", daemon=True
        )
        self._process.start()
        theirs.close()
        self._turn = threading.Lock()
        self.paused = False
        self.cancelled = False

    @property
    def pid(self) -> int | None:
        """Number of the process."""
        return self._process.pid

    def rows(self) -> Iterator[Row]:
        """Yield the rows of the training as they come; the last one has no model but a folder.

        Raises
        ------
        SteatosisError
            What the training raised; or that the process was ended from outside.
        """
        try:
            while True:
                try:
                    row = self._connection.recv()
                except (EOFError, OSError):
                    self._process.join(PATIENCE_S)
                    if self.cancelled:
                        return
                    raise SteatosisError(
                        f"The process of the training ended without a word (exit code "
                        f"{self._process.exitcode}); most often memory was short. Use a smaller "
                        f"batch or crop_px; with resume=True it goes on from its last checkpoint."
                    ) from None
                if isinstance(row, Exception):
                    raise row
                if row is None:
                    return
                yield row
        finally:
            self.close()

    def pause(self) -> None:
        """Let the training wait after the step that it is at; its memory stays taken."""
        self.paused = True
        self._tell("pause")

    def resume(self) -> None:
        """Let a paused training go on."""
        self.paused = False
        self._tell("resume")

    def cancel(self) -> None:
        """Stop after the step that it is at; a checkpoint is written. `rows` then ends."""
        self.cancelled = True
        self._tell("cancel")

    def close(self) -> None:
        """End the process, which is given some time to write its checkpoint."""
        if self._process.is_alive():
            self.cancelled = True
            self._tell("cancel")
            with contextlib.suppress(EOFError, OSError):  # it may be waiting to be heard
                while self._connection.poll(PATIENCE_S) and self._connection.recv() is not None:
                    pass
            self._process.join(PATIENCE_S)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self._connection.close()

    def _tell(self, order: Order) -> None:
        with self._turn, contextlib.suppress(OSError):  # it has ended
            self._connection.send(order)

    def __enter__(self) -> TrainingProcess:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def serve(
    connection: Connection, asked: tuple[str, Dataset, Dataset | None, dict[str, Any]]
) -> None:
    """Train, and send every row; in the process of its own.

    Parameters
    ----------
    connection : Connection
        Takes rows, at the end None, or the error; gives orders. When it is closed the training
        is cancelled.
    asked : tuple
        Arguments of `napari_steatosis.training.train.train`.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the caller, who says cancel
    orders = _Orders(connection)
    architecture, training, validation, how = asked
    try:
        from .train import train

        rows = train(architecture, training, validation, **how)
        for row in rows:
            connection.send(replace(row, model=None) if isinstance(row, Trained) else row)
            if not orders.may_go_on():
                rows.close()
                break
        connection.send(None)
    except BrokenPipeError:  # nobody listens any more; the checkpoint of the last epoch stays
        return
    except SteatosisError as error:
        connection.send(error)
    except Exception as error:  # its text is all that gets through
        connection.send(SteatosisError(f"The training failed: {type(error).__name__}: {error}"))


class _Orders:
    """Orders that come in while the training computes."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._go, self._cancelled = threading.Event(), False
        self._go.set()
        threading.Thread(target=self._listen, daemon=True).start()

    def may_go_on(self) -> bool:
        """Wait while paused; return whether to go on."""
        self._go.wait()
        return not self._cancelled

    def _listen(self) -> None:
        order: Order | None = None
        while order != "cancel":
            try:
                order = self._connection.recv()
            except (EOFError, OSError):
                order = "cancel"
            if order == "pause":
                self._go.clear()
                continue
            self._cancelled = order == "cancel"
            self._go.set()
