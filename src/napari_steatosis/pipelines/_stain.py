"""Which stain transform a run applies, and what its report says of the colours."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..core.errors import BadValueError
from ..core.mask import Mask
from ..core.model import Model, ModelSpec, StainingModel
from ..core.slide import Slide
from ..core.stain import StainTransform

AUTO, AS_IT_IS = "auto", "none"
"""What the model was trained with; and the colours of the slide as they are."""

Stain = str | StainTransform
"""`AUTO`, `AS_IT_IS`, the name of a method, or a transform that was fitted before."""


def method_of(slide: Slide, spec: ModelSpec, stain: Stain) -> tuple[str, str | None] | None:
    """Return method and reference that are to be fitted to a slide; None where none are.

    The reference is None where what was asked for does not name one.

    Raises
    ------
    BadValueError
        Where the slide is normalised already.
    """
    if not isinstance(stain, str) or stain == AS_IT_IS:
        return None
    if stain == AUTO:
        return None if slide.stain is not None else spec.normalisation
    refuse_twice(slide)
    return stain, None


def stain_for(
    slide: Slide,
    spec: ModelSpec,
    stain: Stain = AUTO,
    *,
    tissue: Mask | None = None,
    reference: str | Path = "he",
) -> StainTransform | None:
    """Return the transform that a run with a model applies to a slide.

    Parameters
    ----------
    slide : Slide
        With a pixel size.
    spec : ModelSpec
        Of the model, which knows the stain state that it was trained with.
    stain : str or StainTransform
        ``"auto"``: what the model was trained with. ``"none"``: nothing. The name of a
        method: fitted here. A transform: taken as it is.
    tissue : Mask, optional
        Where to sample the colours of the slide; `find_tissue` by default.
    reference : str or path
        For a method: what to map to.

    Returns
    -------
    StainTransform, or None where the pixels stay as they are.

    Raises
    ------
    BadValueError, UnknownNameError
        Where the stain cannot be fitted, or the slide is normalised already.
    """
    from ..imaging import fit_stain

    if not isinstance(stain, str):
        refuse_twice(slide)
        return stain
    asked = method_of(slide, spec, stain)
    if asked is None:
        return None
    method, own = asked
    fitted: StainTransform = fit_stain(
        slide, method=method, tissue=tissue, reference=reference if own is None else own
    )
    return fitted


def behind(model: Model, stain: StainTransform | None) -> tuple[Model, StainTransform | None]:
    """Return a model that sees the colours of a run, and what is left to do before it.

    A model on a GPU changes the colours there; before any other, the transform is applied.
    """
    if stain is not None and isinstance(model, StainingModel):
        stained = model.stained(stain)
        if stained is not None:
            return stained, None
    return model, stain


def refuse_twice(slide: Slide) -> None:
    """Raise where a slide is normalised already."""
    if slide.stain is not None:
        raise BadValueError(
            f"{slide.path} is normalised already ({state_of(slide.stain)}), and would be a second "
            f"time. Take the slide as it was opened, or ask for the stain 'none'."
        )


def stain_flags(
    slide: Slide, spec: ModelSpec, stain: StainTransform | None = None
) -> Iterator[str]:
    """Yield what must be known of the colours of a run before its numbers are used.

    Parameters
    ----------
    slide : Slide
        That was analysed; it may be normalised itself.
    spec : ModelSpec
        Of the model.
    stain : StainTransform, optional
        That the run applied.
    """
    used, wanted = stain or slide.stain, spec.normalisation
    if wanted is not None and (used is None or _names(used) != wanted):
        method, reference = wanted
        have = "as they are" if used is None else f"normalised by {state_of(used)}"
        yield (
            f"The model {spec.name!r} was trained on images normalised by {method} to "
            f"{reference!r}; the colours of this slide were analysed {have}. Its scores do not "
            f"hold for that: analyse with the stain 'auto'."
        )
    if used is not None:
        yield from used.findings


def state_of(transform: StainTransform) -> str:
    """Return method and reference of a transform in words: ``macenko to 'he'``."""
    method, reference = _names(transform)
    return f"{method} to {reference!r}" if reference else method


def _names(transform: StainTransform) -> tuple[str, str]:
    reference = transform.to_json().get("reference")
    name = reference.get("name", "") if isinstance(reference, dict) else reference
    return transform.name, str(name or "")
