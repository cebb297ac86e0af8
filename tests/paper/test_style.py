"""The files of a figure: fonts embedded, width exact, 300 dpi."""

import re
import zlib

import pytest
from PIL import Image

from neuromf.paper.style import DPI, LOOKS, NARROW, SMALL, WIDE, letter, page, save


def pdf_objects(path):
    """The bytes of a PDF, compressed streams unpacked."""
    content = path.read_bytes()
    for stream in re.findall(rb"stream\r?\n(.*?)\r?\nendstream", content, re.DOTALL):
        try:
            content += zlib.decompress(stream)
        except zlib.error:
            continue
    return content


@pytest.fixture(params=[WIDE, NARROW], scope="module")
def files(request, tmp_path_factory):
    with page(request.param, 2.0) as figure:
        axes = figure.subplots()
        axes.plot([1, 2], [3, 4], **LOOKS[0].options, label="$u(z_t, t, r)$ ± Größe")
        axes.set(xlabel="network calls", ylabel=r"distance $\times 10^{-3}$")
        axes.legend()
        letter(axes, "a")
    return request.param, *save(tmp_path_factory.mktemp("figure"), "figure", figure)


def test_fonts_are_embedded_as_truetype(files):
    content = pdf_objects(files[1])
    assert b"/FontFile2" in content
    assert b"/Type3" not in content
    assert b"STIX" in content


def test_the_pdf_is_exactly_as_wide(files):
    box = re.search(rb"/MediaBox \[ ?0 0 ([\d.]+) ([\d.]+) ?\]", files[1].read_bytes())
    assert [float(value) for value in box.groups()] == [72 * files[0], 144]


def test_the_png_has_300_pixels_an_inch(files):
    with Image.open(files[2]) as image:
        assert image.size == (round(DPI * files[0]), 600)
        assert image.info["dpi"][0] == pytest.approx(DPI, abs=0.1)


def test_two_files_of_a_figure_are_the_same_bytes(tmp_path):
    with page(NARROW, 2.0) as figure:
        figure.subplots().plot([1, 2])
    one = [path.read_bytes() for path in save(tmp_path, "a", figure)]
    assert one == [path.read_bytes() for path in save(tmp_path, "b", figure)]


def test_series_differ_without_colour():
    assert len({look.marker for look in LOOKS}) == len(LOOKS)
    assert len({look.line for look in LOOKS}) == len(LOOKS)
    assert SMALL == 8
