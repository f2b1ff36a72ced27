"""Networks run side by side, but none while another one is traced."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Gate:
    """Lets any number pass at a time, or one alone.

    Tracing a network (`torch.fx`) replaces how all networks of the process are called, so that
    one which runs in another thread meanwhile ends with an error.

    Examples
    --------
    >>> gate = Gate()
    >>> with gate.passing(), gate.passing():
    ...     pass
    >>> with gate.alone():
    ...     pass
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._inside, self._closed = 0, False

    @contextmanager
    def passing(self) -> Iterator[None]:
        """Wait while somebody is alone; then hold off who wants to be."""
        with self._changed:
            self._changed.wait_for(lambda: not self._closed)
            self._inside += 1
        try:
            yield
        finally:
            with self._changed:
                self._inside -= 1
                self._changed.notify_all()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Wait until nobody is inside, and keep all others out."""
        with self._changed:
            self._changed.wait_for(lambda: not self._closed)
            self._closed = True
            self._changed.wait_for(lambda: not self._inside)
        try:
            yield
        finally:
            with self._changed:
                self._closed = False
                self._changed.notify_all()


NETWORKS = Gate()
"""Every network of this process passes here."""
