"""Whether a picture shows something."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image


def ink(path: Path) -> float:
    """Return the share of the pixels of an image that are not its background."""
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("RGB")).reshape(-1, 3)
    colours, counts = np.unique(pixels, axis=0, return_counts=True)
    assert len(colours) > 10, f"{path} shows {len(colours)} colours"
    return 1 - counts.max() / counts.sum()
