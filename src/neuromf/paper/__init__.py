"""The paper's figures and tables, drawn from runs; what was not run is drawn as missing."""
