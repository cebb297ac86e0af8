# Every target does its own set-up; a second call does not install again.
PYTHON ?= python3
VENV   ?= .venv
TORCH  ?= torch==2.13.0
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check

.PHONY: demo torus paper test verify test-hostile test-slurm wheel wheel-test audit sbom check bench docs clean
.DELETE_ON_ERROR:

demo: $(VENV)/.package
	$(BIN)/neuromf demo out=runs/demo --overwrite

torus: $(VENV)/.package
	$(BIN)/neuromf toy preset=quick out=runs/torus --overwrite

# figures and tables of the paper from committed results and two brains of the shipped model; what was not run is drawn
# as missing: make paper VOLUMES=FOLDER adds real brains, volumes that prepare wrote
paper: $(VENV)/.package
	$(BIN)/neuromf generate model=embedded n=2 out=runs/paper-samples --overwrite
	$(BIN)/neuromf paper sources=benchmarks/results/paper/sources.yaml samples=runs/paper-samples volumes=$(VOLUMES) out=runs/paper --overwrite

test: $(VENV)/.dev
	@mkdir -p runs
	$(BIN)/pytest -n auto --dist worksteal --junitxml=runs/tests.xml
	$(BIN)/neuromf verify quick=true tests=runs/tests.xml out=runs/verify-quick --overwrite

# everything that is measured, into docs/verification.md: make verify VOLUMES=FOLDER, real volumes that prepare wrote
verify: $(VENV)/.dev
	$(BIN)/neuromf verify volumes=$(VOLUMES) out=runs/verify --overwrite
	cp runs/verify/verification.md docs/verification.md

test-hostile: $(VENV)/.dev
	$(BIN)/pytest -m hostile tests/hostile

test-slurm: $(VENV)/.dev
	tests/slurm/install.sh
	$(BIN)/pytest -m slurm tests/slurm

wheel: $(VENV)/.torch
	rm -rf dist
	$(PIP) wheel --quiet --no-deps -w dist .
	@ls dist/*.whl

# the wheel, installed where there is no checkout, runs the demo
wheel-test: $(VENV)/.dev
	$(BIN)/pytest -m wheel tests/wheel

# known weaknesses of the pinned dependencies, and the licences of all that is installed
audit: $(VENV)/.audit
	$(BIN)/python tests/supply/support.py
	$(BIN)/pip-audit --strict --no-deps --disable-pip -r constraints.txt

sbom: $(VENV)/.audit
	@mkdir -p dist
	$(BIN)/cyclonedx-py environment $(BIN)/python --pyproject pyproject.toml --output-reproducible --of JSON -o dist/neuromf.cdx.json
	@echo dist/neuromf.cdx.json

check: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell
	$(BIN)/pytest -q tests/test_layout.py

bench: $(VENV)/.dev
	$(BIN)/python benchmarks/step.py small --out benchmarks/results/step-small.json
	$(BIN)/python benchmarks/step.py brain --out benchmarks/results/step-brain.json
	$(BIN)/python benchmarks/store.py --out benchmarks/results/store.json
	$(BIN)/python benchmarks/encode.py --out benchmarks/results/encode.json
	$(BIN)/python benchmarks/decode_memory.py --out benchmarks/results/decode.json
	$(BIN)/python benchmarks/generate.py small2mm --out benchmarks/results/generation-small2mm.json
	$(BIN)/python benchmarks/generate.py maisi128 --volumes 1 --out benchmarks/results/generation-maisi128.json

docs: $(VENV)/.dev
	$(BIN)/sphinx-build -W -q -b html docs docs/_build/html
	@echo "docs/_build/html/index.html"

clean:
	rm -rf $(VENV) dist docs/_build .pytest_cache .ruff_cache .mypy_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.torch:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, this is " + sys.version.split()[0] + ": make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet $(TORCH)
	@touch $@

$(VENV)/.package: $(VENV)/.torch pyproject.toml constraints.txt
	$(PIP) install --quiet -c constraints.txt -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.package
	$(PIP) install --quiet -c constraints.txt -e '.[dev]'
	@touch $@

$(VENV)/.audit: $(VENV)/.dev
	$(PIP) install --quiet -e '.[audit]'
	@touch $@
