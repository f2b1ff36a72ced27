"""Public names of a package, each imported on first use (PEP 562)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .table import Table


def lazy_names(package: str, rows: Mapping[str, str]) -> Callable[[str], Any]:
    """Return the ``__getattr__`` of a package whose public names are imported on first use.

    Parameters
    ----------
    package : str
        ``__name__`` of the package.
    rows : mapping of str to str
        Public name to ``"module:attribute"``.
    """
    names = Table("public name", rows)

    def find(name: str) -> Any:
        if name in names:
            return names[name]
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return find
