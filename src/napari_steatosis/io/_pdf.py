"""A page of this package as PDF, printed by PlutoBook, which comes with all that it needs."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path

from ..core.errors import MissingPackageError

FONTS = {
    "DejaVu Sans": (("normal", "DejaVuSans.ttf"), ("bold", "DejaVuSans-Bold.ttf")),
    "DejaVu Sans Mono": (("normal", "DejaVuSansMono.ttf"),),
}
"""Fonts that matplotlib brings along, for computers without any: a page would be blank there."""


def check_pdf() -> None:
    """Raise where PDF cannot be written, with the remedy.

    Raises
    ------
    MissingPackageError
        Without the extra ``pdf``.
    """
    if find_spec("plutoprint") is None:
        raise MissingPackageError(
            "PDF needs the package plutoprint: pip install 'napari-steatosis[pdf]' (Linux and "
            "Windows on x86-64, macOS 14 or later on Apple silicon). The report as HTML needs "
            "nothing, and any browser prints it as PDF."
        )


def print_page(page: str, path: Path) -> None:
    """Print a page of this package as PDF, A4.

    Parameters
    ----------
    page : str
        HTML that refers to nothing outside itself; its own style says how it is printed.
    path : Path
        What to write.
    """
    import plutoprint

    book = plutoprint.Book(plutoprint.PAGE_SIZE_A4)
    book.load_html(page, user_style="\n".join(_font_faces()))
    written = BytesIO()
    book.write_to_pdf_stream(written)  # a file of its own would be cut off without a word
    path.write_bytes(written.getvalue())


def _font_faces() -> Iterator[str]:
    from matplotlib import get_data_path

    folder = Path(get_data_path()) / "fonts" / "ttf"
    for family, files in FONTS.items():
        for weight, name in files:
            place = (folder / name).as_uri()
            yield (
                f'@font-face {{ font-family: "{family}"; font-weight: {weight}; '
                f'src: url("{place}"); }}'
            )
