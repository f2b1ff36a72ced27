"""Pages of this package: its templates, in the frame of those of `io`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from .. import __version__
from ..core.report import RESEARCH_USE


def filled(
    template: str, *, words: Mapping[str, Callable[..., str]] | None = None, **values: Any
) -> str:
    """Return a page that needs nothing else.

    Parameters
    ----------
    template : str
        File in ``templates`` here; it may extend ``page.html`` of `io`.
    words : mapping of str to callable, optional
        How values are printed, as filters and as functions.
    **values
        What it shows; date, version and notice are added.
    """
    import jinja2

    own, frame = (
        jinja2.PackageLoader(f"napari_steatosis.{package}", "templates")
        for package in ("training", "io")
    )
    environment = jinja2.Environment(
        loader=jinja2.ChoiceLoader([own, frame]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= dict(words or {})
    environment.globals |= dict(words or {})
    return environment.get_template(template).render(
        version=__version__,
        written=datetime.now().astimezone().strftime("%d %B %Y, %H:%M"),
        notice=RESEARCH_USE,
        **values,
    )
