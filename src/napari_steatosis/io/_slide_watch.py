"""Whether a slide is still the file that a run began with."""

from __future__ import annotations

import os

from ..core.errors import CannotOpenError, SlideChangedError
from ..core.slide import Slide

State = tuple[int, int, int]


class SlideWatch:
    """Notices that the file of a slide vanishes, is cut off or replaced while it is analysed.

    Parameters
    ----------
    slide : Slide, optional
        One that lies in no file is not watched.
    """

    def __init__(self, slide: Slide | None) -> None:
        self._slide = slide
        self._state = None if slide is None else _state(slide.path)

    def check(self) -> None:
        """Ask the system whether the file has changed, and look into it only then.

        Raises
        ------
        SlideChangedError
            It is gone, or holds another image.
        """
        if self._state is None:
            return
        state = _state(self._path)
        if state is None:
            raise SlideChangedError(
                f"{self._path} is no longer there. Connect its disk again or copy the file back, "
                f"and make the same run again: it goes on with what is stored."
            )
        if state != self._state:
            self.check_content()
            self._state = state

    def check_content(self) -> None:
        """Compare the content with that at the beginning, with the same errors as `check`."""
        if self._slide is None or self._state is None:
            return
        from . import open_slide

        try:
            found = open_slide(self._path).fingerprint
        except (CannotOpenError, OSError) as error:
            raise SlideChangedError(
                f"{self._path} changed while it was analysed and cannot be opened any more "
                f"({error}). Copy it again from its origin, and make the same run again: it "
                f"goes on with what is stored."
            ) from error
        if found != self._slide.fingerprint:
            raise SlideChangedError(
                f"{self._path} was replaced by another image while it was analysed (fingerprint "
                f"{self._slide.fingerprint[:12]} before, {found[:12]} now). Put the first one back "
                f"to go on with what is stored, or analyse the other one into another folder."
            )

    @property
    def _path(self) -> str:
        return "" if self._slide is None else self._slide.path


def _state(path: str) -> State | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
