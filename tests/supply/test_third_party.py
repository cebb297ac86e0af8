"""THIRD_PARTY.md names what others made, and the weights, as the files are."""

import hashlib
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROW = re.compile(r"\| (src/\S+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \| ([0-9a-f]{64}) \|")
BROUGHT = {".safetensors", ".pt", ".pth", ".npz", ".npy", ".gz", ".bin", ".woff2", ".wasm"}


def rows():
    return ROW.findall((ROOT / "THIRD_PARTY.md").read_text(encoding="utf-8"))


def test_each_file_is_the_one_that_is_named():
    for path, _, _, licence, expected in rows():
        assert hashlib.sha256((ROOT / path).read_bytes()).hexdigest() == expected, path
        assert licence.strip()


def test_every_file_that_may_be_anothers_is_named():
    files = [p for p in (ROOT / "src").rglob("*") if p.is_file() and "__pycache__" not in p.parts]
    brought = {p for p in files if p.suffix in BROUGHT or p.name.endswith((".umd.js", ".min.js"))}
    named = {ROOT / path for path, *_ in rows()}
    assert brought == named


def test_what_is_not_python_or_text_is_nothing_else():
    """A file of a kind that is not known here is somebody's: name it above, or here."""
    tracked = subprocess.run(
        ["git", "ls-files", "src"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    known = {".py", ".yaml", ".html", ".css", ".csv", ".md", ".json", ".safetensors", ".js", ""}
    assert {Path(p).suffix for p in tracked} <= known
