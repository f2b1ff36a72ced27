"""Files of a dataset, in folders and in zip files, which are read without being unpacked."""

from __future__ import annotations

import io
import os
import re
import threading
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from ...core.errors import CannotOpenError
from .._handles import HANDLES

ZIP = ".zip"
INSIDE = re.compile(r"(.+?\.zip)/(.+)", re.IGNORECASE | re.DOTALL)
MOST_MEMBER_BYTES = 2**31
"""Longest file inside a zip that is read into memory."""

PASSED_OVER = ("__MACOSX", "Thumbs.db")


class Archive:
    """An open zip file, with the zip files inside it.

    Parameters
    ----------
    path : str
        The outer file.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._lock = threading.RLock()
        self._zips = {"": zipfile.ZipFile(path)}

    def names(self) -> Iterator[str]:
        """Yield the files, those of inner zips as ``inner.zip/name``."""
        waiting = [""]
        while waiting:
            at = waiting.pop()
            for info in self._zip(at).infolist():
                if info.is_dir():
                    continue
                if info.filename.lower().endswith(ZIP):
                    waiting.append(f"{at}{info.filename}/")
                else:
                    yield at + info.filename

    def read(self, name: str) -> bytes:
        """Return the content of a file."""
        at, inner = "", name
        while (found := INSIDE.fullmatch(inner)) is not None:
            at, inner = f"{at}{found[1]}/", found[2]
        opened = self._zip(at)
        if opened.getinfo(inner).file_size > MOST_MEMBER_BYTES:
            raise CannotOpenError(f"{self.path}/{name} is too large to read; unpack the zip file.")
        return opened.read(inner)

    def has(self, name: str) -> bool:
        """Say whether there is such a file."""
        return name in set(self.names())

    def close(self) -> None:
        """Close the outer file and all inside it."""
        for one in self._zips.values():
            one.close()

    def _zip(self, at: str) -> zipfile.ZipFile:
        with self._lock:
            if at not in self._zips:
                head, _, _ = at.removesuffix("/").rpartition(f"{ZIP}/")
                outer = f"{head}{ZIP}/" if head else ""
                raw = self._zip(outer).read(at.removeprefix(outer).removesuffix("/"))
                self._zips[at] = zipfile.ZipFile(io.BytesIO(raw))
            return self._zips[at]


def read_bytes(path: str) -> bytes:
    """Return the content of a file, also of one inside a zip file (``set.zip/a.png``).

    Raises
    ------
    CannotOpenError
        Where there is none, or the zip file is damaged or needs a password.
    """
    archive, inner = inside(path)
    try:
        if not archive:
            return Path(path).read_bytes()
        with HANDLES.borrow(archive, Archive) as opened:
            return opened.read(inner)
    except (FileNotFoundError, KeyError):
        raise CannotOpenError(f"{path}: there is no such file. Correct the path.") from None
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise CannotOpenError(
            f"{path}: {archive} is no zip file or is damaged ({error}). Download it again."
        ) from error
    except (RuntimeError, NotImplementedError) as error:  # a password, an unknown compression
        raise CannotOpenError(f"{path} cannot be read ({error}); unpack {archive}.") from error
    except OSError as error:
        if isinstance(error, CannotOpenError):
            raise
        raise CannotOpenError(f"{path} cannot be read ({error}).") from error


def exists(path: str) -> bool:
    """Say whether a file is there, also inside a zip file."""
    archive, inner = inside(path)
    if not archive:
        return os.path.exists(path)
    try:
        with HANDLES.borrow(archive, Archive) as opened:
            return opened.has(inner)
    except (OSError, zipfile.BadZipFile, zlib.error):
        return False


def inside(path: str) -> tuple[str, str]:
    """Return zip file and name inside it, or two empty texts for a plain file.

    Examples
    --------
    >>> inside("no.zip/a.png")
    ('', '')
    """
    start = 0
    text = path.replace(os.sep, "/")
    while (at := text.lower().find(f"{ZIP}/", start)) >= 0:
        end = at + len(ZIP)
        if os.path.isfile(text[:end]):
            return path[:end], text[end + 1 :]
        start = end
    return "", ""


def files_of(root: str) -> list[str]:
    """Return the files (and zarr folders) in a folder or zip file, sorted, relative, with ``/``.

    A zip file in a folder counts as a folder unless it is unpacked beside it (``TRAIN.zip``
    beside ``TRAIN`` or ``TRAIN_extracted``). Hidden files are passed over.

    Raises
    ------
    CannotOpenError
        Where the root is neither, or the zip file is damaged.
    """
    if zipfile.is_zipfile(root) and not os.path.isdir(root):
        found = _members(root)
    elif os.path.isdir(root):
        found = list(_below(root))
    elif os.path.exists(root):
        raise CannotOpenError(
            f"{root} is neither a folder, nor a zip file that can be read, nor a CSV table. If it "
            f"is a zip file it is damaged or not complete: download it again."
        )
    else:
        raise CannotOpenError(f"{root}: there is no such file or folder.")
    return sorted(name for name in found if not _hidden(name))


def _below(root: str) -> Iterator[str]:
    for folder, folders, names in os.walk(root):
        start = Path(folder).relative_to(root).as_posix()
        slides = [one for one in folders if one.endswith(".zarr")]
        folders[:] = [one for one in folders if one not in slides]
        for name in [*names, *slides]:
            place = name if start == "." else f"{start}/{name}"
            if not name.lower().endswith(ZIP):
                yield place
            elif not {name[: -len(ZIP)], f"{name[: -len(ZIP)]}_extracted"} & set(folders):
                yield from (f"{place}/{one}" for one in _members(os.path.join(folder, name)))


def _members(path: str) -> list[str]:
    try:
        with HANDLES.borrow(path, Archive) as opened:
            return list(opened.names())
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError) as error:
        raise CannotOpenError(
            f"{path} is no zip file or is damaged ({error}). Download it again."
        ) from error


def _hidden(name: str) -> bool:
    parts = name.split("/")
    return any(part.startswith(".") or part in PASSED_OVER for part in parts)
