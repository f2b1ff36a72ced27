"""Annotations in: QuPath's GeoJSON, parsed feature by feature."""

from __future__ import annotations

import codecs
import gzip
import json
import os
import re
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from ..core.annotation import Annotation, Annotations
from ..core.errors import BadValueError, CannotOpenError
from ._geojson.features import annotations_of

GZIP = b"\x1f\x8b"
CHUNK_BYTES = 2**20
MOST_BYTES = 8 * 2**30
"""Longest text that is read, decompressed: some eight million outlines."""

MOST_PACKED = 100
UNSUSPECTED_BYTES = 64 * 2**20
"""Beyond this, a text may be at most `MOST_PACKED` times as long as its compressed file."""

MOST_FEATURE_CHARACTERS = 64 * 2**20
MOST_ANNOTATIONS = 5_000_000
REMEDY = "Export the objects again from QuPath (File > Export objects as GeoJSON)."
WHITE = re.compile(r"[ \t\n\r]*")
DECODER = json.JSONDecoder()


def open_annotations(path: str | os.PathLike[str]) -> Annotations:
    """Read the annotations, detections and cells of a GeoJSON file as QuPath writes them.

    A FeatureCollection, a list of features, one feature or a bare geometry is read, plain or
    compressed with gzip, of every version of QuPath since 0.2. Rings that are not closed are
    closed. Objects inside others (``childObjects``) follow them. A collection of several kinds
    of geometry becomes one annotation per kind. Memory grows with the number of objects, about
    1.5 kB each, not with the text: a file is refused beyond 8 GiB of text, 64 MiB in one
    feature, 5 million objects, or 100 times its compressed size.

    Parameters
    ----------
    path : str or path
        ``.geojson``, ``.json`` or ``.geojson.gz``; the content decides, not the name.

    Returns
    -------
    Annotations
        Coordinates (row, column) in px of the slide's level 0, pixel centres at whole numbers.
        Its `left_out` names objects without a geometry.

    Raises
    ------
    CannotOpenError
        With the file, the number of the feature, what was seen, and what to do.

    Examples
    --------
    >>> from pathlib import Path
    >>> square = '{"type":"Polygon","coordinates":[[[0,0],[8,0],[8,4],[0,4],[0,0]]]}'
    >>> _ = Path("square.geojson").write_text(square)
    >>> open_annotations("square.geojson").items[0].box
    (-0.5, -0.5, 3.5, 7.5)
    """
    place = Path(path)
    number = 0  # of features so far
    items: list[Annotation] = []
    left_out: list[str] = []
    try:
        with place.open("rb") as raw:
            for number, value in enumerate(_elements(_Text(raw)), start=1):
                for found in annotations_of(value):
                    if isinstance(found, str):
                        left_out.append(f"Feature {number}: {found}.")
                    else:
                        items.append(found)
                if len(items) > MOST_ANNOTATIONS:
                    raise BadValueError(
                        f"there are more than {MOST_ANNOTATIONS} objects; export a part of them"
                    )
    except BadValueError as error:
        raise CannotOpenError(f"{path}: feature {number}: {error}. {REMEDY}") from None
    except FileNotFoundError:
        raise CannotOpenError(f"{path}: there is no such file or folder.") from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise CannotOpenError(
            f"{path}: after {number} feature(s) the compressed data are damaged or end early "
            f"({error}). Copy the file again from its origin."
        ) from error
    except OSError as error:
        raise CannotOpenError(f"{path}: it cannot be read ({error}). Give a file.") from error
    except _DAMAGED as error:
        raise CannotOpenError(
            f"{path}: after {number} feature(s) it cannot be used as GeoJSON: {_reason(error)}. "
            f"The file may be of another format, or cut short. {REMEDY}"
        ) from error
    return Annotations(tuple(items), str(path), tuple(left_out))


_DAMAGED = (ValueError, RecursionError)  # what JSON and UTF-8 decoders raise


def _reason(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "its brackets are nested too deeply"
    if isinstance(error, UnicodeDecodeError):
        return f"byte 0x{error.object[error.start]:02x} is not UTF-8"
    return error.msg if isinstance(error, json.JSONDecodeError) else str(error)


def _elements(text: _Text) -> Iterator[Any]:
    """Yield the features (or geometries) of a file, whichever way they are wrapped."""
    first = text.peek()
    if first == "[":
        yield from text.listed()
    elif first == "{":
        yield from _members(text)
    else:
        seen = f"it begins with {first!r}" if first else "it is empty"
        raise ValueError(f"{seen}, not with an object or a list")
    if text.peek():
        raise ValueError("there is more after its end")


def _members(text: _Text) -> Iterator[Any]:
    """Yield the features of a collection, or the object itself where it is none."""
    members: dict[str, Any] = {}
    wrapped = False
    for name in text.names():
        if name == "features" and text.peek() == "[":
            wrapped = True
            yield from text.listed()
            continue
        value = text.value()
        if not wrapped:
            members[name] = value
            if text.read > MOST_FEATURE_CHARACTERS:
                raise ValueError(f"one value is longer than {MOST_FEATURE_CHARACTERS} characters")
    if not wrapped:
        yield members


class _Text:
    """JSON that is decoded value by value as it is read from a file, gzip or not."""

    def __init__(self, raw: BinaryIO) -> None:
        packed = raw.read(2) == GZIP
        raw.seek(0)
        size = os.fstat(raw.fileno()).st_size
        self._bytes: Any = gzip.GzipFile(fileobj=raw) if packed else raw
        self._most = min(MOST_BYTES, max(UNSUSPECTED_BYTES, MOST_PACKED * size))
        self._decode = codecs.getincrementaldecoder("utf-8-sig")().decode
        self.read, self._ended = 0, False
        self._text, self._at = "", 0

    def peek(self) -> str:
        """Return the next character that is not white, "" at the end of the file."""
        while True:
            white = WHITE.match(self._text, self._at)
            assert white is not None
            self._at = white.end()
            if self._at < len(self._text):
                return self._text[self._at]
            if self._ended:
                return ""
            self._more()

    def value(self) -> Any:
        """Decode the next value."""
        self.peek()
        while True:
            try:
                found, end = DECODER.raw_decode(self._text, self._at)
                if end < len(self._text) or self._ended:
                    self._at = end
                    return found
            except json.JSONDecodeError:
                if self._ended:
                    raise
            if len(self._text) - self._at > MOST_FEATURE_CHARACTERS:
                raise ValueError(f"one value is longer than {MOST_FEATURE_CHARACTERS} characters")
            self._more()

    def listed(self) -> Iterator[Any]:
        """Yield the values of a list."""
        self._take("[")
        yield from self._until("]", self.value)

    def names(self) -> Iterator[str]:
        """Yield the names of an object's members; the caller takes each value in turn."""
        self._take("{")
        yield from self._until("}", self._name)

    def _name(self) -> str:
        if self.peek() != '"':
            raise ValueError("a name in quotes is missing")
        name = self.value()
        self._take(":")
        return str(name)

    def _until(self, end: str, take: Callable[[], Any]) -> Iterator[Any]:
        if self.peek() == end:
            self._take(end)
            return
        while True:
            yield take()
            if self.peek() == end:
                self._take(end)
                return
            self._take(",")

    def _take(self, wanted: str) -> None:
        if (seen := self.peek()) != wanted:
            raise ValueError(f"{wanted!r} is missing before {seen or 'its end'!r}")
        self._at += 1

    def _more(self) -> None:
        rest = self._text[self._at :]
        data = self._bytes.read(max(CHUNK_BYTES, len(rest)))  # doubles for a long feature
        self.read += len(data)
        if self.read > self._most:
            raise ValueError(f"it holds more than {self._most} bytes of text, decompressed")
        self._ended = not data
        self._text, self._at = rest + self._decode(data, final=self._ended), 0
