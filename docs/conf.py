project = "NeuroMF"
copyright = "2026, the NeuroMF developers"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
myst_heading_anchors = 3
myst_enable_extensions = ["dollarmath", "amsmath"]
html_theme = "furo"
html_title = "NeuroMF"
exclude_patterns = ["_build"]
autodoc_typehints = "description"
suppress_warnings = ["ref.python"]


def setup(app) -> None:
    def escape(app, what, name, obj, options, lines: list[str]) -> None:
        lines[:] = [
            line.replace("*spatial", r"\*spatial") for line in lines
        ]  # an axis list, not emphasis

    app.connect("autodoc-process-docstring", escape)
