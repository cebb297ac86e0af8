"""paper.tex names every figure and table, and compiles where LaTeX is installed."""

import shutil
import subprocess

import pytest

from neuromf.paper.command import run
from neuromf.paper.config import PaperConfig, Studies
from paper.support import FIDS, compared, torus


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("paper")
    run(
        PaperConfig(
            compare=(str(compared(folder / "compare", FIDS)),),
            studies=Studies(
                torus=str(torus(folder / "a_b%.csv")), blobs=str(folder / "gone_%.csv")
            ),
        ),
        folder / "out",
    )
    return folder / "out"


def test_every_figure_and_table_is_there(made):
    text = (made / "paper.tex").read_text(encoding="utf-8")
    for path in (made / "figures").glob("*.pdf"):
        assert f"{{figures/{path.name}}}" in text
    for path in (made / "tables").glob("*.tex"):
        assert f"\\input{{tables/{path.stem}}}" in text
    assert text.count("\\begin{figure}") == len(list((made / "figures").glob("*.pdf")))
    assert r"gone\_\%.csv" in text


@pytest.mark.skipif(shutil.which("latexmk") is None, reason="latexmk is not installed")
def test_it_compiles(made):
    words = ["latexmk", "-pdf", "-interaction=nonstopmode", "-halt-on-error", "paper"]
    done = subprocess.run(words, cwd=made, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    assert (made / "paper.pdf").stat().st_size > 50_000
