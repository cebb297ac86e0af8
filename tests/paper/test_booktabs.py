"""LaTeX and CSV of a table."""

import csv

from neuromf.paper.booktabs import Block, Cell, Table, latex, rows, tex
from neuromf.paper.missing import NOT_GIVEN, Missing


def test_special_characters_are_escaped():
    assert tex("ms_ssim 95 % ± 0.1 & #") == r"ms\_ssim 95 \% $\pm$ 0.1 \& \#"
    assert tex("<0.001 × 512³") == r"$<$0.001 $\times$ 512$^3$"
    assert tex("{a}$~") == r"\{a\}\$\textasciitilde{}"


def test_a_table_has_its_numbers_beside_it(tmp_path):
    data = {"mean": 0.1234567890123, "source": "runs/a", "sha256": "0" * 64}
    cells = [Cell("a_b"), Cell("0.12 ± 0.01", data), Cell("[1]", latex=r"\cite{x}")]
    gap = Missing("Table 4", "usefulness", NOT_GIVEN)
    made = Table(
        4,
        "made",
        "caption",
        [
            Block("first", ("name", "FID", "from"), [cells]),
            Block("second", ("name", "Dice"), missing=gap),
        ],
    )
    made.write(tmp_path)
    text = (tmp_path / "table-4-made.tex").read_text()
    assert text == latex(made)
    assert r"a\_b & 0.12 $\pm$ 0.01 & \cite{x} \\" in text
    assert "not run: neuromf usefulness" in text

    with (tmp_path / "table-4-made.csv").open(newline="") as stream:
        found = list(csv.DictReader(stream))
    assert found[0]["mean"] == "0.1234567890123"
    assert found[0]["sha256"] == "0" * 64
    assert found[2]["missing"] == gap.text == made.missing[0].text
    assert len(found) == len(rows(made)) == 3
