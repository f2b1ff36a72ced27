"""Collagen by its colour: a range of hue and a least saturation, pixel by pixel."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ..core.errors import BadValueError

SURE = 8.0
"""Logit of a pixel inside the range: a probability of 0.9997."""


class FibrosisHue(nn.Module):
    """Two thresholds on hue and one on saturation (HSV); nothing is learned.

    Made for stains that colour collagen unlike all else: blue in Masson's trichrome, red in
    Sirius red. The slide is stretched first (stain ``"percentile"``), once for the whole slide.

    Parameters
    ----------
    hue : (float, float)
        From and to, in parts of the circle: red is 0, green 1/3, blue 2/3. Where the first is
        the larger, the range goes through red.
    saturation : float
        The least, 0 to 1.

    Raises
    ------
    BadValueError
        Where a threshold is outside its range.

    Notes
    -----
    The default range is that of aniline blue, a starting value: fit your own with
    `napari_steatosis.training.hue_thresholds.fit_hue`.

    Examples
    --------
    >>> blue_and_pink = torch.tensor([[60.0, 90, 180], [220, 120, 170]]).T.reshape(1, 3, 1, 2)
    >>> FibrosisHue()(blue_and_pink).flatten().tolist()
    [8.0, -8.0]
    """

    stride_px = 1
    reach_px = 0

    def __init__(
        self, hue: Sequence[float] = (0.50, 0.75), saturation: float = 0.10, *, classes: int = 2
    ) -> None:
        super().__init__()
        low, high = hue
        if not (0 <= low <= 1 and 0 <= high <= 1 and 0 <= saturation <= 1):
            raise BadValueError(
                f"Hue and saturation lie between 0 and 1, got {tuple(hue)} and {saturation}."
            )
        if classes != 2:
            raise BadValueError(
                f"fibrosis-hue tells collagen from all else, not {classes} classes."
            )
        self.low, self.high, self.saturation = float(low), float(high), float(saturation)
        self.sure = nn.Parameter(torch.tensor(SURE), requires_grad=False)

    def forward(self, rgb: Tensor) -> Tensor:
        """Map ``(n, 3, y, x)`` RGB of 0 to 255 to ``(n, 1, y, x)`` logits of collagen."""
        hue, saturation = hue_and_saturation(rgb.float())
        if self.low <= self.high:
            inside = (hue >= self.low) & (hue <= self.high)
        else:
            inside = (hue >= self.low) | (hue <= self.high)
        inside = inside & (saturation >= self.saturation)
        return torch.where(inside, self.sure, -self.sure).to(rgb.dtype)


def hue_and_saturation(rgb: Tensor) -> tuple[Tensor, Tensor]:
    """Return hue (0 to 1, a circle) and saturation (0 to 1) of ``(n, 3, y, x)`` RGB.

    Both are ``(n, 1, y, x)``; grey has hue 0 and saturation 0.
    """
    red, green, blue = rgb[:, 0:1], rgb[:, 1:2], rgb[:, 2:3]
    most = rgb.amax(1, keepdim=True)
    span = most - rgb.amin(1, keepdim=True)
    some = span.clamp_min(1e-6)
    sixth = torch.where(
        most == red,
        (green - blue) / some,
        torch.where(most == green, 2 + (blue - red) / some, 4 + (red - green) / some),
    )
    hue = torch.where(span > 0, (sixth / 6) % 1, torch.zeros_like(span))
    return hue, span / most.clamp_min(1e-6)
