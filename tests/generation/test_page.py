"""The page of samples, and that BIDS tools pass over it."""

import pytest

from neuromf.generation.command import GenerateConfig, run
from neuromf.generation.page import asked
from neuromf.generation.samples import SampleFolder
from reporting.support import check_page


@pytest.fixture
def out(tmp_path, model_folder, monkeypatch):
    out = tmp_path / "samples"
    monkeypatch.setattr("sys.argv", ["neuromf", "generate", f"out={out}"])
    run(GenerateConfig(model=str(model_folder), n=5, device="cpu"), out)
    return out


def test_the_page_of_samples(out):
    source = (out / "index.html").read_text(encoding="utf-8")
    found = check_page(source, "generate", scripts=1)
    assert "5 volumes that a network drew" in found.text
    assert source.count('class="volume"') == 4
    assert [o["value"] for o in found.all("option")] == 2 * ["0", "1", "2", "3"]
    assert len(found.all("img")) == 1
    assert "index.html" in (out / ".bidsignore").read_text().split()


def test_nothing_was_asked(tmp_path):
    assert asked(SampleFolder(tmp_path, 3, "T1w", {})) == []
