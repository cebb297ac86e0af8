"""Volumes in a page: what it holds, and, in a real browser, that it shows them without a network."""

import base64
import gzip
import hashlib
from importlib import resources
from types import SimpleNamespace

import nibabel as nib
import numpy as np
import pytest

from neuromf.reporting.page import render
from neuromf.reporting.viewer import (
    Shown,
    coarser,
    needed,
    read_shown,
    save_shown,
    shown,
    viewer,
)
from neuromf.runtime.records import RecordError
from reporting.browser import canvas_of, grey_share, look
from reporting.support import check_page


def volume(size=20, mm=2.0):
    """A ball that is brighter inside, with a known affine."""
    at = np.stack(np.meshgrid(*[np.linspace(-1, 1, size)] * 3, indexing="ij"))
    voxels = np.clip(1.1 - np.sqrt((at**2).sum(0)), 0, 1).astype(np.float32)
    affine = np.diag([mm, mm, mm, 1.0])
    affine[:3, 3] = -mm * (size - 1) / 2
    return SimpleNamespace(voxels=voxels, affine=affine)


def unpacked(held: Shown) -> nib.Nifti1Image:
    return nib.Nifti1Image.from_bytes(gzip.decompress(base64.b64decode(held.packed)))


@pytest.fixture
def page(tmp_path, monkeypatch):
    """A page with volumes, written to a file."""

    def of(volumes, said="none"):
        monkeypatch.setattr("sys.argv", ["neuromf", "report", "runs"])
        template = "comparison.html"  # any page: its content is replaced
        import jinja2

        from neuromf.reporting import page as pages

        text = '{% extends "base.html" %}{% block content %}{{ part }}{% endblock %}'
        base = pages.environment("neuromf.reporting")
        loader = jinja2.ChoiceLoader([jinja2.DictLoader({template: text}), base.loader])
        monkeypatch.setattr(pages, "environment", lambda package: base.overlay(loader=loader))
        source = render("neuromf.reporting", template, title="Volumes", run=tmp_path, part=viewer(volumes), **needed(volumes))  # fmt: skip
        path = tmp_path / "page.html"
        path.write_text(source, encoding="utf-8")
        return path

    return of


def test_the_script_is_the_one_of_the_package():
    folder = resources.files("neuromf.reporting").joinpath("niivue")
    digest, name = folder.joinpath("SHA256SUMS").read_text(encoding="utf-8").split()
    assert hashlib.sha256(folder.joinpath(name).read_bytes()).hexdigest() == digest
    assert "BSD 2-Clause" in folder.joinpath("LICENSE").read_text(encoding="utf-8")


def test_a_volume_is_kept_as_8_bit_levels():
    given = volume()
    held = unpacked(shown("ball", given))
    assert held.get_data_dtype() == np.uint8
    np.testing.assert_array_equal(held.affine, given.affine)
    np.testing.assert_allclose(held.get_fdata() / 255, given.voxels, atol=0.5 / 255 + 1e-6)
    broken = SimpleNamespace(voxels=np.array([[[np.nan, np.inf, -3, 7.0]]]), affine=np.eye(4) * 2)
    np.testing.assert_array_equal(
        unpacked(shown("b", broken)).get_fdata().ravel(), [0, 255, 0, 255]
    )


def test_finer_volumes_are_averaged_and_stay_in_their_place():
    fine = volume(21, 1.0)
    voxels, affine = coarser(fine.voxels, fine.affine)
    assert voxels.shape == (10, 10, 10)
    np.testing.assert_allclose(voxels[0, 0, 0], fine.voxels[:2, :2, :2].mean())
    np.testing.assert_allclose(np.diag(affine), [2, 2, 2, 1])
    np.testing.assert_allclose(affine @ [0, 0, 0, 1], fine.affine @ [0.5, 0.5, 0.5, 1])
    same = volume(8, 2.0)
    np.testing.assert_array_equal(coarser(same.voxels, same.affine)[0], same.voxels)


def test_what_is_no_volume_is_refused():
    with pytest.raises(ValueError, match=r"ball: voxels \(3, 4\)"):
        shown("ball", SimpleNamespace(voxels=np.zeros((3, 4)), affine=np.eye(4)))


def test_a_page_without_volumes_has_no_viewer():
    assert viewer([]) == ""
    assert needed([]) == {}


def test_volumes_are_kept_for_a_page_that_is_drawn_again(tmp_path):
    held = [shown("a <b>", volume()), shown("c", volume(8))]
    save_shown(tmp_path / "volumes.json", held)
    assert read_shown(tmp_path / "volumes.json") == held
    assert read_shown(tmp_path / "gone.json") == []
    (tmp_path / "strange.json").write_text('{"volumes": 3}')
    with pytest.raises(RecordError, match="volumes"):
        read_shown(tmp_path / "strange.json")


def test_the_page_holds_everything_and_its_policy_names_the_scripts(page):
    source = page([shown("a <b>", volume()), shown("c", volume())]).read_text(encoding="utf-8")
    found = check_page(source, "report", scripts=1)
    assert found.text.count("a <b>") == 1 + 2  # the list, and both choices
    assert source.count("'sha256-") == 2  # the viewer's script, and NiiVue
    assert "Redistribution and use in source and binary forms" in source
    assert len(source) < 1_200_000


def test_a_browser_shows_the_volumes_from_a_file(page, tmp_path):
    """In software: three planes, 3D and the crosshair of both volumes; no message in the console."""
    path = page([shown("one", volume()), shown("two", volume())])
    picture, console = look(f"{path.as_uri()}#look", tmp_path)
    assert console == []
    canvas = canvas_of(picture)
    left, right = np.array_split(canvas, 2, axis=1)
    assert grey_share(left) > 0.05
    assert grey_share(right) > 0.05


def test_a_damaged_volume_is_an_error_in_the_console(page, tmp_path):
    """So that the test above would see an error."""
    path = page([Shown("one", base64.b64encode(b"none").decode())])
    _, console = look(f"{path.as_uri()}#look", tmp_path)
    assert console != []
