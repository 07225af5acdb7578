"""What the figures are drawn with: a canvas, marks, axes, styles, and what every figure has."""

import os
import sys
import warnings
from pathlib import Path

from gradcascade.scratch import CacheWarning, can_write, home, temporary


def _give_matplotlib_a_folder() -> None:
    """Matplotlib keeps its list of fonts; where it cannot, a temporary folder saves making it anew each time."""
    own = home()
    if "MPLCONFIGDIR" in os.environ or "matplotlib" in sys.modules:
        return
    names = {"XDG_CONFIG_HOME": ".config", "XDG_CACHE_HOME": ".cache"} if sys.platform.startswith("linux") else {}
    places = [os.environ.get(name) or (own and own / usual) for name, usual in names.items()] or [own]
    if all(place and can_write(Path(place) / "matplotlib") for place in places):
        return
    folder = temporary("matplotlib")
    if folder is not None:
        os.environ["MPLCONFIGDIR"] = str(folder)
        warnings.warn(
            f"Matplotlib's folder cannot be written, so its list of fonts is kept in {folder}; set MPLCONFIGDIR to a "
            "folder that can be",
            CacheWarning,
            stacklevel=2,
        )


_give_matplotlib_a_folder()
