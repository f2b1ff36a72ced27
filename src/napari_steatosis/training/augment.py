"""Training crops: any angle, flip, scale, stain, exposure, blur, JPEG and noise.

Geometry moves image and mask together; colour changes the image alone. The stain is varied
in optical density (Ruifrok and Johnston 2001; varied as by Tellez et al. 2018), because the
palest training tiles are also those without fat, and paleness must not predict it.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from ..core.dataset import IGNORE

STAINS = np.array([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11], [0.27, 0.57, 0.78]])
"""Optical density of haematoxylin, eosin and a residual in R, G, B (Ruifrok and Johnston)."""


@dataclass(frozen=True)
class Variation:
    """How far the crops vary; each range is drawn from uniformly.

    Parameters
    ----------
    turn_degrees : float
        Angle, +-; 180 is any.
    flip : {"any", "horizontal", "none"}
        ``"any"`` with a turn of 180 degrees gives every orientation.
    log_scale : float
        Magnification is e to the power of +- this.
    zoom : (float, float), optional
        Magnification, in place of `log_scale`.
    shift : float
        +- share of its side by which a crop that has no room to wander is moved.
    nearest_mask : bool
        A pixel of the mask is that of the nearest one instead of the class that has most of it.
    stain_gain : (float, float)
        Factor on the concentration of each stain.
    stain_shift : float
        +- optical density added to each stain.
    mixed : float
        Share of the crops whose stains are those of another training image, in part or whole
        (`napari_steatosis.training.stain_mixing`).
    gamma : (float, float)
        Exponent on the intensity.
    contrast, brightness, channel : float
        +- relative contrast, +- offset and +- gain of each channel, in parts of full scale.
    blur_px : (float, float)
        Standard deviation of the blur, px.
    blurred : float
        Share of the crops that are blurred.
    noise : float
        Largest standard deviation of the noise, in parts of full scale.
    jpeg : (int, int)
        Quality of JPEG.
    compressed : float
        Share of the crops that are compressed.
    """

    turn_degrees: float = 180.0
    flip: Literal["any", "horizontal", "none"] = "any"
    log_scale: float = 0.35
    zoom: tuple[float, float] | None = None
    shift: float = 0.0
    nearest_mask: bool = False
    stain_gain: tuple[float, float] = (0.65, 1.4)
    stain_shift: float = 0.03
    mixed: float = 0.0
    gamma: tuple[float, float] = (0.75, 1.35)
    contrast: float = 0.2
    brightness: float = 0.08
    channel: float = 0.05
    blur_px: tuple[float, float] = (0.4, 1.2)
    blurred: float = 0.25
    noise: float = 0.03
    jpeg: tuple[int, int] = (40, 95)
    compressed: float = 0.0


STILL = Variation(
    turn_degrees=0.0,
    flip="none",
    log_scale=0.0,
    stain_gain=(1.0, 1.0),
    stain_shift=0.0,
    gamma=(1.0, 1.0),
    contrast=0.0,
    brightness=0.0,
    channel=0.0,
    blurred=0.0,
    noise=0.0,
)
"""Nothing varies but the place of the crop."""


def vary(
    image: NDArray[np.uint8],
    mask: NDArray[np.uint8] | None,
    rng: np.random.Generator,
    *,
    crop_px: int = 256,
    variation: Variation | None = None,
    mixing: NDArray[np.float64] | None = None,
) -> tuple[Tensor, Tensor]:
    """Draw one training crop.

    Parameters
    ----------
    image : (y, x, 3) uint8
        RGB.
    mask : (y, x) uint8, optional
        Class of each pixel, 255 where nobody said: 1 where there is fat, else 0.
    rng : numpy.random.Generator
        Decides everything; the same state gives the same crop.
    crop_px : int
        Side of the crop, px.
    variation : Variation, optional
        How far the crops vary.
    mixing : (3, 3) float, optional
        Matrix on optical densities, as rows, that replaces the stains of the image.

    Returns
    -------
    (3, crop, crop) float32 RGB of whole numbers 0 to 255, and (1, crop, crop) float32 mask

    Examples
    --------
    >>> tile = np.full((64, 64, 3), 200, np.uint8)
    >>> [x.shape for x in vary(tile, tile[..., 0] // 200, np.random.default_rng(0), crop_px=32)]
    [torch.Size([3, 32, 32]), torch.Size([1, 32, 32])]
    """
    how = variation or Variation()
    rgb, truth = _moved(image, mask, rng, crop_px, how)
    rgb = _restained(rgb / 255, rng, how, mixing)
    if rng.random() < how.blurred:
        rgb = _blurred(rgb, rng.uniform(*how.blur_px))
    seed = int(rng.integers(2**62))
    noise = torch.randn(rgb.shape, generator=torch.Generator().manual_seed(seed))
    rgb = rgb + noise * rng.uniform(0, how.noise)
    rgb = (rgb * 255).round_().clamp_(0, 255)
    if how.compressed and rng.random() < how.compressed:
        rgb = _compressed(rgb, int(rng.integers(how.jpeg[0], how.jpeg[1] + 1)))
    return rgb, truth


def _moved(
    image: NDArray[np.uint8],
    mask: NDArray[np.uint8] | None,
    rng: np.random.Generator,
    crop_px: int,
    how: Variation,
) -> tuple[Tensor, Tensor]:
    grid = _places(image.shape[:2], rng, crop_px, how)
    seen = np.zeros(1, int) if mask is None else np.bincount(mask.ravel())
    classes = [int(value) for value in np.flatnonzero(seen) if value]
    planes = torch.from_numpy(image.transpose(2, 0, 1).astype(np.float32))[None]
    if classes and mask is not None and not how.nearest_mask:
        parts = np.stack([mask == value for value in classes]).astype(np.float32) * 255
        planes = torch.cat([planes, torch.from_numpy(parts)[None]], 1)
    found = F.grid_sample(planes, grid, padding_mode="reflection", align_corners=False)[0]
    if not classes or mask is None:
        return found[:3], torch.zeros(1, crop_px, crop_px)
    if how.nearest_mask:
        plane = torch.from_numpy(mask.astype(np.float32))[None, None]
        nearest = F.grid_sample(plane, grid, "nearest", "reflection", align_corners=False)
        return found[:3], nearest[0].round_()
    return found[:3], _most(found[3:], classes)


def _places(
    shape: tuple[int, ...], rng: np.random.Generator, crop_px: int, how: Variation
) -> Tensor:
    """Return where in the image each pixel of the crop lies, as `grid_sample` takes it."""
    height, width = shape
    turn = np.radians(how.turn_degrees)
    angle = rng.uniform(0, 2 * np.pi) if turn >= np.pi else rng.uniform(-turn, turn)
    scale = np.exp(rng.uniform(-how.log_scale, how.log_scale))
    if how.zoom is not None:
        scale = rng.uniform(*how.zoom)
    flip = rng.choice([-1.0, 1.0]) if how.flip != "none" else 1.0
    # Where the crop reaches over the border it is mirrored, so its centre stays well inside.
    margin_y, margin_x = min(crop_px / 2, height / 2), min(crop_px / 2, width / 2)
    centre_y = rng.uniform(margin_y, height - margin_y) if height > crop_px else height / 2
    centre_x = rng.uniform(margin_x, width - margin_x) if width > crop_px else width / 2
    if how.shift:
        centre_y += rng.uniform(-how.shift, how.shift) * crop_px
        centre_x += rng.uniform(-how.shift, how.shift) * crop_px
    offset = (torch.arange(crop_px) - (crop_px - 1) / 2) / scale
    v, u = torch.meshgrid(offset, offset * flip, indexing="ij")
    x = centre_x + np.cos(angle) * u - np.sin(angle) * v
    y = centre_y + np.sin(angle) * u + np.cos(angle) * v
    return torch.stack([2 * x / width - 1, 2 * y / height - 1], -1).float()[None]


def _most(parts: Tensor, classes: list[int]) -> Tensor:
    """Return for each pixel the class that has most of it: (class, y, x) -> (1, y, x)."""
    if len(classes) == 1:
        return (parts >= 127.5).float() * classes[0]
    if IGNORE in classes:  # what is not known in part is not known
        parts[classes.index(IGNORE)] *= 2
    share, index = parts.max(0)
    rest = 255 - parts.sum(0)
    found = torch.where(share >= rest, torch.tensor(classes, dtype=torch.float32)[index], 0.0)
    return found[None]


def _restained(
    rgb: Tensor,
    rng: np.random.Generator,
    how: Variation,
    mixing: NDArray[np.float64] | None,
) -> Tensor:
    stains = STAINS / np.linalg.norm(STAINS, axis=1, keepdims=True)
    gain = rng.uniform(*how.stain_gain, 3)
    shift = rng.uniform(-how.stain_shift, how.stain_shift, 3) @ stains
    # Unmix, scale each stain, mix again: one 3 x 3 matrix on optical density.
    change = np.linalg.inv(stains) @ np.diag(gain) @ stains * rng.uniform(*how.gamma)
    if mixing is not None:
        change = mixing @ change
    density = -torch.log(rgb.clamp_min(1 / 255)).flatten(1)
    density = torch.from_numpy(change.T.astype(np.float32)) @ density
    density += torch.from_numpy(shift.astype(np.float32))[:, None]
    rgb = torch.exp(-density).clamp_(0, 1).view_as(rgb)
    mean = float(rgb.mean())
    rgb = (rgb - mean) * (1 + rng.uniform(-how.contrast, how.contrast)) + mean
    gains = 1 + rng.uniform(-how.channel, how.channel, 3).astype(np.float32)
    rgb = rgb * torch.from_numpy(gains)[:, None, None]
    return (rgb + rng.uniform(-how.brightness, how.brightness)).clamp_(0, 1)


def _blurred(rgb: Tensor, sigma_px: float) -> Tensor:
    reach = int(np.ceil(3 * sigma_px))
    weight = torch.exp(-0.5 * (torch.arange(-reach, reach + 1) / sigma_px) ** 2)
    weight = (weight / weight.sum()).expand(3, 1, 1, -1)
    padded = F.pad(rgb[None], (reach,) * 4, mode="reflect")
    return F.conv2d(F.conv2d(padded, weight, groups=3), weight.mT, groups=3)[0]


def _compressed(rgb: Tensor, quality: int) -> Tensor:
    """Return what JPEG leaves of a crop, (3, y, x) of 0 to 255."""
    from PIL import Image

    stream = io.BytesIO()
    pixels = rgb.permute(1, 2, 0).to(torch.uint8).numpy()
    Image.fromarray(pixels).save(stream, "JPEG", quality=quality)
    back = np.array(Image.open(stream))
    return torch.from_numpy(back).permute(2, 0, 1).float()
