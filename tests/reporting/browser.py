"""Pages in a headless Chromium, where there is one: what it shows, and what its console says."""

import os
import re
import shutil
import signal
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
SECONDS = 40


def look(address: str, folder: Path, size: tuple[int, int] = (900, 700)) -> tuple[np.ndarray, list[str]]:  # fmt: skip
    """Return a page as Chromium draws it, (H, W, 3), and what its console says; skip the test where there is no Chromium, or it does not start."""
    if BROWSER is None:
        pytest.skip("no Chromium here: apt-get install chromium")
    picture = folder / "page.png"
    flags = [*FLAGS, f"--user-data-dir={folder / 'profile'}", f"--window-size={size[0]},{size[1]}"]
    flags += ["--virtual-time-budget=4000", f"--screenshot={picture}"]
    # a headless Chromium hangs once in a while: a second one is started
    said = next(
        (text for _ in range(2) if (text := _run([BROWSER, *flags, address])) is not None), None
    )
    if said is None:
        pytest.skip(f"Chromium drew nothing in {SECONDS} s, twice")
    if not picture.is_file():
        pytest.skip(f"Chromium does not run here: {said[-300:]}")
    console = re.findall(r"CONSOLE[^\]]*\] (.*)", said)
    return np.asarray(Image.open(picture).convert("RGB")), console


def _run(command: list[str]) -> str | None:
    """What a command writes to stderr; None where it takes too long, and it and its children are ended."""
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True) as started:  # fmt: skip
        try:
            return started.communicate(timeout=SECONDS)[1]
        except subprocess.TimeoutExpired:
            os.killpg(started.pid, signal.SIGKILL)
            return None


def canvas_of(picture: np.ndarray) -> np.ndarray:
    """Return the part of a page (H, W, 3) between the first and last black pixels: the canvases, whose background is black."""
    rows, columns = np.nonzero((picture == 0).all(axis=-1))
    return picture[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]


def grey_share(picture: np.ndarray) -> float:
    """Return the share of pixels that are grey, neither black nor white."""
    level = picture[..., 0]
    grey = (picture == level[..., None]).all(axis=-1) & (level > 40) & (level < 235)
    return float(grey.mean())
