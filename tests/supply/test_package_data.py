"""What the package needs beside its modules goes into the wheel.

The build takes every file below src/neuromf that git does not ignore; that the wheel really has
them is what make wheel-test looks at.
"""

import subprocess
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]


def tracked():
    done = subprocess.run(
        ["git", "ls-files", "src/neuromf"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return done.stdout.split()


def test_git_ignores_no_file_of_the_package():
    done = subprocess.run(
        ["git", "check-ignore", "--no-index", "--stdin"],
        cwd=ROOT,
        input="\n".join(tracked()),
        capture_output=True,
        text=True,
        check=False,  # 1: none is ignored
    )
    assert (done.returncode, done.stdout) == (1, "")


def test_the_build_leaves_nothing_out():
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    build = tomllib.loads(text)["tool"]["hatch"]["build"]
    assert build.keys() == {"targets"}
    assert build["targets"].keys() == {"sdist"}  # of the wheel nothing is said: all of the package


def test_every_python_that_is_named_is_one_that_is_taken():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = [c.rpartition(" :: ")[2] for c in project["classifiers"] if "Python :: 3." in c]
    assert named == ["3.11", "3.12", "3.13", "3.14"]
    assert project["requires-python"] == ">=3.11"
