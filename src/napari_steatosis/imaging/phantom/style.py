"""How a laboratory stained and scanned: colours and the amounts of what is drawn."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Vector = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Style:
    """Stain, scanner and condition of one drawn liver.

    Parameters
    ----------
    haematoxylin, eosin, blood : (float, float, float)
        Optical density of red, green and blue per unit of stain.
    strength : float
        Factor on all optical densities: 0.4 is pale, 1.2 is dark.
    nuclei : float
        Factor on the stain of nuclei.
    basophilia : float
        Haematoxylin of the cytoplasm.
    white : (float, float, float)
        Colour of bare glass.
    sinusoids : float
        Share of the plate borders that are open, 0 to 1.
    dilation : float
        Widening of the open sinusoids, 0 to 1.
    congestion : float
        Share of the open sinusoids and veins that hold red cells, 0 to 1.
    foam : float
        Amount of unlabelled microvesicles and clearing in the cytoplasm, 0 to 1.
    grain : float
        Contrast of the cytoplasm.
    halos : float
        Share of the nuclei that lie in a clear ring, 0 to 1.
    inflammation : float
        Density of small dark cells, 0 to 1.
    tears : float
        Amount of cracks, 0 to 1.
    holes : float
        Amount of ragged holes, 0 to 1.
    loose : float
        Amount of loose tissue, fibres with gaps between them, 0 to 1.
    fray : float
        Roughness of edges and of the rims of holes, 0 to 1.
    debris : float
        Amount of fragments and red cells on glass and in holes, 0 to 1.
    pallor : float
        Amount of washed-out cytoplasm with small clear flecks that are no fat, 0 to 1.
    size : float
        Share of the fat area in large droplets: 0 is microvesicular, 1 macrovesicular.
    swelling : float
        Growth of the large droplets, at the cost of the others, 0 to 1.
    haze : float
        Stain left inside small droplets, 0 to 1.
    blur : float
        Width of the optics, um (standard deviation).
    """

    haematoxylin: Vector = (0.70, 0.95, 0.54)
    eosin: Vector = (0.16, 0.80, 0.46)
    blood: Vector = (0.20, 1.15, 0.80)
    strength: float = 0.7
    nuclei: float = 1.0
    basophilia: float = 0.25
    white: Vector = (242.0, 242.0, 242.0)
    sinusoids: float = 0.3
    dilation: float = 0.0
    congestion: float = 0.3
    foam: float = 0.3
    grain: float = 1.0
    halos: float = 0.1
    inflammation: float = 0.15
    tears: float = 0.3
    holes: float = 0.1
    loose: float = 0.1
    fray: float = 0.2
    debris: float = 0.2
    pallor: float = 0.1
    size: float = 0.6
    swelling: float = 0.0
    haze: float = 0.5
    blur: float = 0.4

    @classmethod
    def of_seed(cls, seed: int) -> Style:
        """Return a style as laboratories and livers differ."""
        random = np.random.default_rng([seed, 0x57A1])
        white = float(random.choice([242.0, 242.0, 242.0, 250.0, 254.0]))
        tint = [float(t) for t in random.uniform(-4, 1, 3)]
        return cls(
            haematoxylin=_around((0.70, 0.95, 0.54), random, 0.04),
            eosin=_around((0.16, 0.80, 0.46), random, 0.035),
            blood=_around((0.20, 1.15, 0.80), random, 0.07),
            strength=float(np.exp(random.uniform(-1.05, 0.25))),
            nuclei=float(np.exp(random.normal(0, 0.2))),
            basophilia=float(random.uniform(0.08, 0.42)),
            white=(white + tint[0], white + tint[1], white + tint[2]),
            sinusoids=float(random.beta(1.2, 3.5)),
            congestion=float(random.beta(1.0, 2.0)),
            foam=float(random.beta(1.2, 2.0)),
            grain=float(random.uniform(0.6, 1.5)),
            halos=float(random.choice([0.02, 0.1, 0.3]) * random.uniform(0.5, 1.5)),
            inflammation=float(random.beta(1.0, 4.0)),
            tears=float(random.beta(1.0, 3.0)),
            size=float(random.uniform(0.15, 0.95)),
            haze=float(random.uniform(0.1, 0.9)),
            blur=float(random.uniform(0.25, 0.6)),
            holes=float(random.beta(0.6, 3.5)),
            loose=float(random.beta(0.6, 3.5)),
            fray=float(random.beta(0.8, 2.0)),
            debris=float(random.beta(0.7, 2.5)),
            pallor=float(random.beta(0.6, 3.0)),
            swelling=float(random.beta(0.5, 4.0)),
            dilation=float(random.beta(0.5, 4.0)),
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the values for a digest or a table."""
        return asdict(self)

    @property
    def stains(self) -> NDArray[np.float64]:
        """Optical density per unit of haematoxylin, eosin and blood (rows), RGB (columns)."""
        nuclear = 1.12 * self.strength**0.5  # pale sections keep rather dark nuclei
        row = np.array([[nuclear], [self.strength], [0.5 + 0.5 * self.strength]])
        return np.array([self.haematoxylin, self.eosin, self.blood]) * row


def _around(vector: Vector, random: np.random.Generator, spread: float) -> Vector:
    r, g, b = np.clip(np.array(vector) + random.normal(0, spread, 3), 0.02, 1.2)
    return float(r), float(g), float(b)
