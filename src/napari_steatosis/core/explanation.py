"""What a path is to this program: which reader opens it, what it holds, what was refused."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from .slide import Slide


@dataclass(frozen=True)
class Judgement:
    """What something looks like, and why.

    Parameters
    ----------
    name : str
        The answer, ``"H&E"``.
    reason : str
        One sentence.
    """

    name: str
    reason: str

    def __str__(self) -> str:
        return f"{self.name}. {self.reason}"


@dataclass(frozen=True, eq=False)
class Explanation:
    """The answer to *why does it open like this*, or *why does it not open*.

    Parameters
    ----------
    path : str
        What was asked about.
    slide : Slide, optional
        The opened slide; None where no reader opens it.
    refused : tuple of (str, str)
        Readers that refused it, and why.
    others : tuple of str
        Readers that would open it, too, but come later.
    stain : Judgement, optional
        What the stain looks like, a guess; None where nobody looked.
    channel_order : Judgement, optional
        Whether red and blue look swapped; None where nobody looked.
    remedy : str
        What to do where it does not open.
    """

    path: str
    slide: Slide | None = None
    refused: tuple[tuple[str, str], ...] = ()
    others: tuple[str, ...] = ()
    stain: Judgement | None = None
    channel_order: Judgement | None = None
    remedy: str = ""

    def __str__(self) -> str:
        rows = [f"  {name:<14} {value}" for name, value in self.rows()]
        return "\n".join([self.headline, *rows, *self.readers_said()])

    @property
    def headline(self) -> str:
        """Whether it opens, in one sentence."""
        if self.slide is not None:
            return f"{self.path} opens with the reader {self.slide.reader!r}."
        if self.refused:
            return f"{self.path} cannot be opened as a slide."
        return f"{self.path}: {self.remedy}"

    def readers_said(self) -> list[str]:
        """Return what the other readers said, line by line, and what to do where none opens it."""
        said = [f"  {name}: opens it, too" for name in self.others]
        said += [f"  {name}: {reason}" for name, reason in self.refused]
        if self.slide is not None:
            return ["Other readers:", *said]
        return [*said, self.remedy] if self.refused else []

    def rows(self) -> list[tuple[str, str]]:
        """Return what the slide holds, as pairs of a name and a text; nothing where none opened."""
        return [] if self.slide is None else [row for row in self._rows(self.slide) if row[1]]

    def _rows(self, slide: Slide) -> list[tuple[str, str]]:
        height, width = slide.shape
        size = f"{height} x {width} px (height x width)"
        if slide.um_per_px is not None:
            y, x = (n * um / 1e3 for n, um in zip(slide.shape, slide.um_per_px, strict=True))
            size += f", {y:.4g} x {x:.4g} mm"
        levels = ", ".join(
            f"{level.height} x {level.width}" + " (computed)" * (level.shrink > 1)
            for level in slide.levels
        )
        profile = "none" if slide.profile is None else slide.profile.name
        if slide.profile is not None:
            profile += ", applied" if "srgb" in slide.colour else ", not applied (--srgb)"
        return [
            ("size", size),
            ("pixel size", _pixel_size(slide)),
            ("levels", f"{len(slide.levels)}: {levels}"),
            ("stored in", f"tiles of {slide.tile_px[0]} x {slide.tile_px[1]} px, "
             f"compression {slide.compression}"),
            ("ICC profile", profile),
            ("colours", "read with " + ", ".join(slide.colour) if slide.colour else ""),
            ("stain (guess)", "" if self.stain is None else str(self.stain)),
            ("channel order", "" if self.channel_order is None else str(self.channel_order)),
            ("other images", ", ".join(slide.associated) or "none"),
        ]  # fmt: skip

    def to_json(self) -> dict[str, Any]:
        """Return plain values: what `str` says, for programs."""
        refused = [{"reader": name, "reason": reason} for name, reason in self.refused]
        if self.slide is None:
            return {"path": self.path, "reader": None, "refused": refused, "remedy": self.remedy}
        slide = self.slide
        return {
            "path": self.path,
            "reader": slide.reader,
            "other_readers": list(self.others),
            "refused": refused,
            "height_px": slide.shape[0],
            "width_px": slide.shape[1],
            "um_per_px": None if slide.um_per_px is None else list(slide.um_per_px),
            "um_per_px_source": slide.scale_source,
            "levels": [
                {
                    "height_px": level.height,
                    "width_px": level.width,
                    "downsample": level.downsample,
                    "computed": level.shrink > 1,
                }
                for level in slide.levels
            ],
            "tile_px": list(slide.tile_px),
            "compression": slide.compression,
            "icc_profile": None if slide.profile is None else slide.profile.name,
            "colour": list(slide.colour),
            "stain_guess": None if self.stain is None else asdict(self.stain),
            "channel_order": None if self.channel_order is None else asdict(self.channel_order),
            "associated_images": list(slide.associated),
            "fingerprint": slide.fingerprint,
            "properties": dict(slide.properties),
        }


def _pixel_size(slide: Slide) -> str:
    if slide.um_per_px is None:
        return f"unknown: {slide.scale_source}"
    y, x = slide.um_per_px
    return f"{y:.4g} x {x:.4g} um ({slide.scale_source})"
