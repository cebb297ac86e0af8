"""paper.tex: every figure and table with its caption, in one document that compiles."""

from __future__ import annotations

from collections.abc import Sequence

from neuromf.paper.booktabs import Table, tex
from neuromf.paper.drawn import Drawn
from neuromf.paper.missing import Missing

HEAD = r"""% written by neuromf paper; latexmk -pdf paper
\documentclass[10pt]{article}
\usepackage[utf8]{inputenc}
\usepackage[letterpaper,textwidth=7in,textheight=9.4in]{geometry}
\usepackage{graphicx}
\usepackage{booktabs}
\usepackage{array}
\newcolumntype{L}[1]{>{\raggedright\arraybackslash}p{#1}}
\setlength{\tabcolsep}{3pt}
\title{NeuroMF: figures and tables}
\author{}
\date{}
\begin{document}
\maketitle
\nocite{*}
"""
TAIL = r"""\clearpage
\bibliographystyle{plain}
\bibliography{references}
\end{document}
"""


def document(figures: Sequence[Drawn], tables: Sequence[Table]) -> str:
    """Return the document; it ends with a list of what is missing."""
    parts = [_figure(drawn) for drawn in figures] + [_table(table) for table in tables]
    gaps = [m for drawn in figures for m in drawn.missing]
    gaps += [m for table in tables for m in table.missing]
    return HEAD + "\\clearpage\n".join(parts) + _gaps(gaps) + TAIL


def _figure(drawn: Drawn) -> str:
    width = drawn.figure.get_size_inches()[0]
    return (
        f"\\begin{{figure}}[p]\n\\centering\n\\includegraphics[width={width:g}in]"
        f"{{figures/{drawn.stem}.pdf}}\n\\setcounter{{figure}}{{{drawn.number - 1}}}\n"
        f"\\caption{{{drawn.caption}}}\n\\label{{fig:{drawn.name}}}\n\\end{{figure}}\n"
    )


def _table(table: Table) -> str:
    return (
        f"\\begin{{table}}[p]\n\\centering\n\\setcounter{{table}}{{{table.number - 1}}}\n"
        f"\\caption{{{table.caption}}}\n\\label{{tab:{table.name}}}\n\\smallskip\n"
        f"\\input{{tables/{table.stem}}}\n\\end{{table}}\n"
    )


def _gaps(gaps: Sequence[Missing]) -> str:
    if not gaps:
        return ""
    lines = "\n".join(f"\\item[{tex(m.part)}] {tex(m.text)}" for m in gaps)
    begin, end = r"\begin{description}", r"\end{description}"
    return f"\\clearpage\n\\section*{{Missing}}\n{begin}\n{lines}\n{end}\n"
