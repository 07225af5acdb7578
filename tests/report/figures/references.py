"""Stored pictures of the figures, and how a new one is compared with them.

The pictures are of planted data. To renew them after a wanted change, look at the new ones and commit them:

    python -m tests.report.figures.references

Matplotlib moves texts and ticks a little from release to release; the release that drew the pictures is pinned in
constraints.txt and stored beside them.
"""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.image import imread

FOLDER = Path(__file__).parent / "references"
DPI = 80
TILE = 12
"""Side of the tiles that are compared, in pixels: about the height of a line of text."""

TOLERANCE = 6.0
"""Largest allowed difference of a tile, as the root of the mean square over its pixels and colours, of 255."""


def picture(figure: Figure) -> np.ndarray:
    """Pixels of a figure, height x width x 3, from 0 to 255."""
    from gradcascade.report.drawing.style import house_style

    stream = BytesIO()
    with house_style():
        figure.savefig(stream, dpi=DPI, format="png")
    stream.seek(0)
    return 255.0 * imread(stream)[..., :3]


def stored(name: str) -> np.ndarray:
    """Pixels of a stored picture."""
    return 255.0 * imread(FOLDER / f"{name}.png")[..., :3]


def release() -> str:
    """Release of Matplotlib that drew the stored pictures."""
    return (FOLDER / "matplotlib.txt").read_text(encoding="utf-8").strip()


def difference(first: np.ndarray, second: np.ndarray) -> float:
    """Difference of the tile that differs most, infinite for pictures of different sizes.

    Both are blurred over two pixels first, so that an edge that falls a fraction of a pixel further counts little,
    and compared tile by tile, so that a small change is not drowned by the white around it.
    """
    if first.shape != second.shape:
        return float("inf")
    gap = first - second
    gap = (gap[1:, 1:] + gap[1:, :-1] + gap[:-1, 1:] + gap[:-1, :-1]) / 4
    high, wide = (size // TILE * TILE for size in gap.shape[:2])
    tiles = gap[:high, :wide].reshape(high // TILE, TILE, wide // TILE, TILE, 3)
    return float(np.sqrt((tiles**2).mean(axis=(1, 3, 4))).max())


def renew() -> None:
    """Draw every stored picture again."""
    from PIL import Image

    from gradcascade.report.figures import all_figures
    from gradcascade.report.figures.local_exponents import LocalExponents

    from .studies import many, planted

    FOLDER.mkdir(exist_ok=True)
    local = LocalExponents(many())
    for figure in (local if each.name == local.name else each for each in all_figures(planted())):
        pixels = picture(figure.plot()).round().astype(np.uint8)
        # A palette of 256 colours would be smaller still, but would differ from what is drawn.
        Image.fromarray(pixels).save(FOLDER / f"{figure.name}.png", optimize=True)
    (FOLDER / "matplotlib.txt").write_text(mpl.__version__ + "\n", encoding="utf-8")


if __name__ == "__main__":
    renew()
