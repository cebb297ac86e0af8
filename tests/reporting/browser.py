"""Pages in a headless Chromium, where there is one: what it shows, and what its console says."""

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

NAMES = ("chromium", "chromium-browser", "google-chrome")
BROWSER = next((path for name in NAMES if (path := shutil.which(name))), None)
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-quic", "--no-first-run", "--hide-scrollbars"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--enable-logging=stderr"),
)  # WebGL 2 in software, so that no GPU is needed
SECONDS = 90


def look(address: str, folder: Path, size: tuple[int, int] = (900, 700)) -> tuple[np.ndarray, list[str]]:  # fmt: skip
    """Return a page as Chromium draws it, (H, W, 3), and what its console says; skip the test where there is no Chromium, or it does not start."""
    if BROWSER is None:
        pytest.skip("no Chromium here: apt-get install chromium")
    picture = folder / "page.png"
    flags = [*FLAGS, f"--user-data-dir={folder / 'profile'}", f"--window-size={size[0]},{size[1]}"]
    flags += ["--virtual-time-budget=4000", f"--screenshot={picture}"]
    try:
        done = subprocess.run(
            [BROWSER, *flags, address], capture_output=True, text=True, timeout=SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        pytest.skip(f"Chromium drew nothing in {SECONDS} s")
    if not picture.is_file():
        pytest.skip(f"Chromium does not run here: {done.stderr[-300:]}")
    console = re.findall(r"CONSOLE[^\]]*\] (.*)", done.stderr)
    return np.asarray(Image.open(picture).convert("RGB")), console


def canvas_of(picture: np.ndarray) -> np.ndarray:
    """Return the part of a page (H, W, 3) between the first and last black pixels: the canvases, whose background is black."""
    rows, columns = np.nonzero((picture == 0).all(axis=-1))
    return picture[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]


def grey_share(picture: np.ndarray) -> float:
    """Return the share of pixels that are grey, neither black nor white."""
    level = picture[..., 0]
    grey = (picture == level[..., None]).all(axis=-1) & (level > 40) & (level < 235)
    return float(grey.mean())
