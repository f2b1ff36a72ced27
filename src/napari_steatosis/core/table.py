"""Tables of interchangeable parts: a name maps to ``"module:attribute"``, imported on first use."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

from .errors import UnknownNameError


class Table:
    """A shelf of parts under names; nothing is imported before it is asked for.

    Parameters
    ----------
    kind : str
        What stands in the table, in the singular, for messages: ``"model"``.
    rows : mapping of str to str
        Name to ``"package.module:attribute"``.

    Examples
    --------
    >>> functions = Table("function", {"sqrt": "math:sqrt"})
    >>> functions["sqrt"](9.0)
    3.0
    >>> list(functions)
    ['sqrt']
    """

    def __init__(self, kind: str, rows: Mapping[str, str]) -> None:
        self.kind = kind
        self._rows = dict(rows)

    def __getitem__(self, name: str) -> Any:
        """Import and return the part called `name`; `UnknownNameError` names near misses."""
        try:
            module, attribute = self._rows[name].split(":")
        except KeyError:
            near = difflib.get_close_matches(name, self._rows, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            known = ", ".join(self._rows)
            message = f"There is no {self.kind} named {name!r}.{hint} Known: {known}."
            raise UnknownNameError(message) from None
        return getattr(import_module(module), attribute)

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, name: object) -> bool:
        return name in self._rows
