"""Open files of the readers: a few per process, shared by threads, closed when not wanted."""

from __future__ import annotations

import atexit
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar


class Closeable(Protocol):
    """An open file, or what a reader keeps of one."""

    def close(self) -> None: ...


H = TypeVar("H", bound=Closeable)
Key = tuple[Callable[[str], Any], str, int, int]


class _Entry:
    def __init__(self, handle: Any) -> None:
        self.handle, self.users, self.retired = handle, 0, False


class HandleCache:
    """The least recently used handles are closed first, and none while it is being read.

    A handle belongs to a path with its time of change and size, so a file that was replaced
    is opened anew. After a fork the child starts with an empty cache: two processes that
    share a file offset would read each other's bytes.

    Parameters
    ----------
    limit : int
        Handles kept open.

    Examples
    --------
    >>> cache = HandleCache(limit=2)
    >>> with cache.borrow(os.devnull, open) as file:
    ...     len(cache)
    1
    >>> cache.close(); len(cache)
    0
    """

    def __init__(self, limit: int = 8) -> None:
        self.limit = limit
        self.reset()

    def reset(self) -> None:
        """Forget every handle without closing it (in the child of a fork)."""
        self._lock = threading.RLock()
        self._entries: OrderedDict[Key, _Entry] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    @contextmanager
    def borrow(self, path: str, opener: Callable[[str], H]) -> Iterator[H]:
        """Give the handle that ``opener(path)`` makes; it stays open while it is borrowed."""
        status = os.stat(path)
        key = (opener, path, status.st_mtime_ns, status.st_size)
        with self._lock:
            entry = self._entries.pop(key, None)
            if entry is None:
                self._retire([other for other in self._entries if other[:2] == key[:2]])
                entry = _Entry(opener(path))
            self._entries[key] = entry
            entry.users += 1
            self._retire(list(self._entries)[: -self.limit])
        try:
            yield entry.handle
        finally:
            with self._lock:
                entry.users -= 1
                _close_unused(entry)

    def forget(self, path: str) -> None:
        """Close the handles of a path, which a failed read may have spoiled."""
        with self._lock:
            self._retire([key for key in self._entries if key[1] == path])

    def close(self) -> None:
        """Close every handle; one that is being read is closed after that."""
        with self._lock:
            self._retire(list(self._entries))

    def _retire(self, keys: list[Key]) -> None:
        for key in keys:
            entry = self._entries.pop(key)
            entry.retired = True
            _close_unused(entry)


def _close_unused(entry: _Entry) -> None:
    if entry.retired and entry.users == 0:
        entry.handle.close()


HANDLES = HandleCache()
"""The handles of this process."""

atexit.register(HANDLES.close)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=HANDLES.reset)
