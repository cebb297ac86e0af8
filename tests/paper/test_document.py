"""paper.tex names every figure and table, and compiles where LaTeX is installed."""

import shutil
import subprocess

import pytest


def test_every_figure_and_table_is_there(made):
    text = (made / "out" / "paper.tex").read_text(encoding="utf-8")
    for path in (made / "out" / "figures").glob("*.pdf"):
        assert f"{{figures/{path.name}}}" in text
    for path in (made / "out" / "tables").glob("*.tex"):
        assert f"\\input{{tables/{path.stem}}}" in text
    assert text.count("\\begin{figure}") == len(list((made / "out" / "figures").glob("*.pdf")))
    assert r"gone\_\%.csv" in text


@pytest.mark.skipif(shutil.which("latexmk") is None, reason="latexmk is not installed")
def test_it_compiles(made):
    words = ["latexmk", "-pdf", "-interaction=nonstopmode", "-halt-on-error", "paper"]
    done = subprocess.run(words, cwd=made / "out", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    assert (made / "out" / "paper.pdf").stat().st_size > 50_000
