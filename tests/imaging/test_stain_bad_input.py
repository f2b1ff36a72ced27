"""What cannot be normalised is refused, what looks wrong is said: never NaN, never a crash."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from arrays import glass, slide_of, stained_ground
from napari_steatosis.core.errors import BadValueError
from napari_steatosis.imaging.references import REFERENCES
from napari_steatosis.imaging.stain import STAINS, fit_stain
from sections import (
    BLOOD,
    EOSIN,
    HAEMATOXYLIN,
    IMMUNO,
    TRICHROME,
    section,
    swapped,
    unit,
)

METHODS = list(STAINS)
HE = REFERENCES["he"]
REAL_COLOURS = section(0.7 * unit(HE.stains[1]), 1.5 * unit(HE.stains[0]))
"""H&E with the stain vectors of many laboratories; those that were published first are far off."""
GROUND = stained_ground(600, 600)


def fit(pixels: NDArray[np.uint8], method: str, um_per_px: float = 0.5) -> Any:
    by_hand = {"stains": "H&E"} if method == "matrix" else {}
    return fit_stain(slide_of(pixels, um_per_px), method=method, **by_hand)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("pixels", "finding"),
    [
        (glass(600, 600), "no stained tissue"),
        (np.full_like(GROUND, 255), "no stained tissue"),
        (np.zeros_like(GROUND), "dark all over"),
        (np.repeat(GROUND[..., :1], 3, axis=2), "no stained tissue"),
        (np.full_like(GROUND, (205, 120, 170)), "of one colour all over"),
        (GROUND[:44, :44], "only [0-9]+ of [0-9]+ sampled tissue pixels"),
    ],
    ids=["glass", "white", "black", "grey", "one colour", "tiny"],
)
def test_what_holds_no_stain_is_refused(
    method: str, pixels: NDArray[np.uint8], finding: str
) -> None:
    with pytest.raises(BadValueError, match=finding):
        fit(pixels, method, 1.05 if len(pixels) < 100 else 0.5)


def ultrasound() -> NDArray[np.uint8]:
    """Grey speckle in a fan on black."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:500, :500] - [[[0]], [[250]]]
    speckle = gaussian_filter(rng.rayleigh(90, (500, 500)), 1.5) * (np.abs(x) < 60 + 0.4 * y)
    return np.repeat(np.clip(speckle, 0, 255).astype(np.uint8)[..., None], 3, axis=2)


def fluorescence() -> NDArray[np.uint8]:
    rng = np.random.default_rng(0)
    light = gaussian_filter((rng.random((500, 500)) > 0.997).astype(float), 3)
    return np.clip(light[..., None] * 9000 * [0.0, 0.3, 1.0], 0, 255).astype(np.uint8)


ODD = {
    "ultrasound": ultrasound(),
    "fluorescence": fluorescence(),
    "eosin alone": section(0.6 * EOSIN),
    "haematoxylin alone": section(0.6 * HAEMATOXYLIN, 0.6 * HAEMATOXYLIN),
    "blood": section(0.7 * BLOOD),
    "swapped": swapped(REAL_COLOURS),
    "trichrome": TRICHROME,
    "DAB": IMMUNO,
    "hardly stained": section(0.2 * EOSIN, 0.2 * HAEMATOXYLIN),
    "noise": np.random.default_rng(0).integers(0, 256, (400, 400, 3), np.uint8),
}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", ODD)
def test_an_odd_slide_is_refused_or_given_colours(name: str, method: str) -> None:
    try:
        fitted = fit(ODD[name], method)
    except BadValueError as error:
        said = str(error)
    else:
        said = "array: ."
        check_result(fitted, name)
    assert said.startswith("array: ")  # the name of the slide
    assert said.endswith(".")


def check_result(fitted: Any, name: str) -> None:
    after = fitted.apply(ODD[name])
    assert after.dtype == np.uint8
    assert np.ptp(after.reshape(-1, 3), axis=0).min() > 10  # not of one colour
    assert all(finding.endswith(".") for finding in fitted.findings)
    numbers = str(fitted.to_json())
    assert "nan" not in numbers
    assert "inf" not in numbers


@pytest.mark.parametrize("name", ["ultrasound", "fluorescence"])
@pytest.mark.parametrize("method", METHODS)
def test_what_is_no_section_is_refused(name: str, method: str) -> None:
    with pytest.raises(BadValueError, match=r"dark all over|no stained tissue|dark field"):
        fit(ODD[name], method)


@pytest.mark.parametrize("method", ["macenko", "vahadane", "reinhard"])
@pytest.mark.parametrize("name", ["swapped", "DAB", "trichrome"])
def test_another_stain_is_said(name: str, method: str) -> None:
    try:
        findings = fit(ODD[name], method).findings
    except BadValueError:
        return  # refused, which says more
    assert findings
    assert fit(REAL_COLOURS, method).findings == ()


def test_given_stains_far_from_the_reference_are_said() -> None:
    (finding,) = fit(REAL_COLOURS, "matrix").findings
    assert "What was given for eosin ([0.07, 0.99, 0.11]) is 27 degrees from" in finding
    close = fit_stain(slide_of(REAL_COLOURS), method="matrix", stains=HE.stains)
    assert close.findings == ()


@pytest.mark.parametrize("method", ["macenko", "vahadane"])
@pytest.mark.parametrize("name", ["eosin alone", "haematoxylin alone"])
def test_one_stain_is_said(name: str, method: str) -> None:
    try:
        findings = " ".join(fit(ODD[name], method).findings)
    except BadValueError as error:
        findings = str(error)
    assert "stain" in findings
