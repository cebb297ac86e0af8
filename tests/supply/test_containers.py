"""Recipes of containers install what the repository pins, and run as nobody in particular."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCKER = (ROOT / "Dockerfile").read_text(encoding="utf-8")
APPTAINER = (ROOT / "neuromf.def").read_text(encoding="utf-8")


def test_both_install_the_same_torch_as_make():
    torch = re.search(r"TORCH  \?= torch==(\S+)", (ROOT / "Makefile").read_text(encoding="utf-8"))
    assert f"ARG TORCH={torch[1]}" in DOCKER
    assert f"torch={torch[1]}" in APPTAINER


def test_both_take_a_python_that_the_package_takes():
    for text in (DOCKER.replace("${PYTHON}", re.search(r"PYTHON=(\S+)", DOCKER)[1]), APPTAINER):
        version = re.search(r"python:(\d+)\.(\d+)-slim", text).groups()
        assert tuple(map(int, version)) >= (3, 11)


def test_the_image_is_no_root_s_and_keeps_its_cache_in_one_place():
    lines = DOCKER.splitlines()
    assert lines.index("USER 1000") < lines.index('ENTRYPOINT ["neuromf"]')
    assert "NEUROMF_HOME=/cache" in DOCKER


def test_what_is_copied_is_there_and_not_ignored():
    sources = [*re.search(r"COPY (.*) \./\n", DOCKER)[1].split(), "src"]
    sources += re.findall(r"(?m)^    (\S+) /src/", APPTAINER)
    kept = {
        line[1:]
        for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
        if line.startswith("!")
    }
    assert all((ROOT / name).exists() for name in sources)
    assert set(sources) == kept
