"""The card as the hub reads it, and the upload: to a hub of the test, since there is no network."""

import sys
from types import SimpleNamespace

import pytest
import yaml

from neuromf.runtime.config import ConfigError
from neuromf.training import hub

REQUIRED = {"license", "library_name", "pipeline_tag", "tags"}


class Hub:
    """What is used of huggingface_hub."""

    def __init__(self, token="a token", refuses=None):
        self.token, self.refuses, self.made, self.uploaded = token, refuses, {}, {}

    def module(self):
        return SimpleNamespace(get_token=lambda: self.token, HfApi=lambda: self)

    def create_repo(self, name, *, private, exist_ok):
        self.made[name] = private
        return f"https://huggingface.co/{name}"

    def upload_folder(self, *, repo_id, folder_path, allow_patterns, commit_message):
        if self.refuses:
            raise self.refuses
        found = {p for pattern in allow_patterns for p in folder_path.glob(pattern)}
        self.uploaded[repo_id] = {str(p.relative_to(folder_path)) for p in found if p.is_file()}


@pytest.fixture
def folder(tmp_path):
    for name in ("config.json", "model.safetensors", "README.md", "vae/a", "run.json", "run.log"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def test_the_header_is_yaml_with_what_the_hub_asks_for():
    before, text, rest = (hub.header("apache-2.0") + "# model\n").split("---\n")
    about = yaml.safe_load(text)
    assert before == ""
    assert rest == "# model\n"
    assert about.keys() >= REQUIRED
    assert about["license"] == "apache-2.0"
    assert all(isinstance(tag, str) for tag in about["tags"])


def test_a_model_is_uploaded_and_nothing_that_names_this_machine(folder, monkeypatch):
    there = Hub()
    monkeypatch.setitem(sys.modules, "huggingface_hub", there.module())
    hub.check_push("me/brains")
    assert hub.push(folder, "me/brains") == "https://huggingface.co/me/brains"
    assert there.made == {"me/brains": True}  # private
    files = {"config.json", "model.safetensors", "README.md", "vae/a"}
    assert there.uploaded == {"me/brains": files}


def test_what_cannot_be_uploaded_is_refused_before(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", Hub(token=None).module())
    with pytest.raises(ConfigError, match="push=brains: owner/name"):
        hub.check_push("brains")
    with pytest.raises(ConfigError, match="nobody is logged in"):
        hub.check_push("me/brains")
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ConfigError, match=r"pip install 'neuromf\[hub\]'"):
        hub.check_push("me/brains")


def test_a_refusal_of_the_hub_says_what_to_do(folder, monkeypatch):
    there = Hub(refuses=RuntimeError("403"))
    monkeypatch.setitem(sys.modules, "huggingface_hub", there.module())
    with pytest.raises(ValueError, match="RuntimeError: 403.*--resume uploads it again"):
        hub.push(folder, "me/brains")
