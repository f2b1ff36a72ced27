"""Training crops: any angle, flip, scale, stain, exposure, blur and noise.

Geometry moves image and mask together; colour changes the image alone. The stain is varied
in optical density (Ruifrok and Johnston 2001; varied as by Tellez et al. 2018), because the
palest training tiles are also those without fat, and paleness must not predict it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

STAINS = np.array([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11], [0.27, 0.57, 0.78]])
"""Optical density of haematoxylin, eosin and a residual in R, G, B (Ruifrok and Johnston)."""


@dataclass(frozen=True)
class Variation:
    """How far the crops vary; each range is drawn from uniformly.

    Parameters
    ----------
    log_scale : float
        Magnification is e to the power of +- this.
    stain_gain : (float, float)
        Factor on the concentration of each stain.
    stain_shift : float
        +- optical density added to each stain.
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
    """

    log_scale: float = 0.35
    stain_gain: tuple[float, float] = (0.65, 1.4)
    stain_shift: float = 0.03
    gamma: tuple[float, float] = (0.75, 1.35)
    contrast: float = 0.2
    brightness: float = 0.08
    channel: float = 0.05
    blur_px: tuple[float, float] = (0.4, 1.2)
    blurred: float = 0.25
    noise: float = 0.03


def vary(
    image: NDArray[np.uint8],
    mask: NDArray[np.uint8],
    rng: np.random.Generator,
    *,
    crop_px: int = 256,
    variation: Variation | None = None,
) -> tuple[Tensor, Tensor]:
    """Draw one training crop.

    Parameters
    ----------
    image : (y, x, 3) uint8
        RGB.
    mask : (y, x) uint8
        1 where there is fat, else 0.
    rng : numpy.random.Generator
        Decides everything; the same state gives the same crop.
    crop_px : int
        Side of the crop, px.
    variation : Variation, optional
        How far the crops vary.

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
    rgb = _restained(rgb / 255, rng, how)
    if rng.random() < how.blurred:
        rgb = _blurred(rgb, rng.uniform(*how.blur_px))
    seed = int(rng.integers(2**62))
    noise = torch.randn(rgb.shape, generator=torch.Generator().manual_seed(seed))
    rgb = rgb + noise * rng.uniform(0, how.noise)
    return (rgb * 255).round_().clamp_(0, 255), truth


def _moved(
    image: NDArray[np.uint8],
    mask: NDArray[np.uint8],
    rng: np.random.Generator,
    crop_px: int,
    how: Variation,
) -> tuple[Tensor, Tensor]:
    height, width = mask.shape
    angle = rng.uniform(0, 2 * np.pi)
    scale = np.exp(rng.uniform(-how.log_scale, how.log_scale))
    flip = rng.choice([-1.0, 1.0])
    # Where the crop reaches over the border it is mirrored, so its centre stays well inside.
    margin_y, margin_x = min(crop_px / 2, height / 2), min(crop_px / 2, width / 2)
    centre_y = rng.uniform(margin_y, height - margin_y) if height > crop_px else height / 2
    centre_x = rng.uniform(margin_x, width - margin_x) if width > crop_px else width / 2
    offset = (torch.arange(crop_px) - (crop_px - 1) / 2) / scale
    v, u = torch.meshgrid(offset, offset * flip, indexing="ij")
    x = centre_x + np.cos(angle) * u - np.sin(angle) * v
    y = centre_y + np.sin(angle) * u + np.cos(angle) * v
    grid = torch.stack([2 * x / width - 1, 2 * y / height - 1], -1).float()[None]
    stacked = np.concatenate([image, (mask > 0)[..., None].astype(np.uint8) * 255], -1)
    planes = torch.from_numpy(stacked).permute(2, 0, 1)[None].float()
    found = F.grid_sample(planes, grid, padding_mode="reflection", align_corners=False)[0]
    return found[:3], (found[3:] >= 127.5).float()


def _restained(rgb: Tensor, rng: np.random.Generator, how: Variation) -> Tensor:
    stains = STAINS / np.linalg.norm(STAINS, axis=1, keepdims=True)
    gain = rng.uniform(*how.stain_gain, 3)
    shift = rng.uniform(-how.stain_shift, how.stain_shift, 3) @ stains
    # Unmix, scale each stain, mix again: one 3 x 3 matrix on optical density.
    mixing = np.linalg.inv(stains) @ np.diag(gain) @ stains * rng.uniform(*how.gamma)
    density = -torch.log(rgb.clamp_min(1 / 255)).flatten(1)
    density = torch.from_numpy(mixing.T.astype(np.float32)) @ density
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
