from dataclasses import replace
from pathlib import Path

import pytest

from neuromf.data.dicom_choice import choose, contrast_of, unusable
from neuromf.data.dicom_series import Series

GOOD = Series(
    Path("a.nii.gz"), "p", "s", number=3, description="MPRAGE", modality="MR",
    shape=(176, 256, 256), spacing=(1.0, 1.0, 1.0),
)  # fmt: skip


@pytest.mark.parametrize(
    ("description", "contrast"),
    [
        ("t1_mprage_sag_p2_iso", "T1w"), ("SAG 3D FSPGR", "T1w"), ("Ax T1 FLAIR", "T1w"),
        ("3D T2 SPACE", "T2w"), ("t2_space_dark-fluid_sag", "FLAIR"), ("SAG CUBE FLAIR", "FLAIR"),
        ("PD TSE", "PDw"), ("SWI_Images", "SWI"), ("T1 MPRAGE POST", "ce-T1w"),
        ("t1_mprage_gad", "ce-T1w"), ("T1 +C", "ce-T1w"), ("T1 postural", "T1w"),
        ("spaceT2 reduced", "T2w"), ("DTI 64", ""), ("", ""),
    ],
)  # fmt: skip
def test_contrasts_by_description(description, contrast):
    assert contrast_of(replace(GOOD, description=description)) == contrast


@pytest.mark.parametrize(
    "description",
    [
        "AX T1 PRE CONTRAST", "AX T1 PRE-CONTRAST", "SAG MPRAGE W/O CONTRAST", "T1 non-contrast",
        "T1 MPRAGE without contrast", "AX T1 W/O GD", "t1 ohne KM", "T1_MPR nativ vor KM",
        "t1_mprage_wo_contrast", "T1 pre Gadovist", "T1 without IV contrast", "T1 MPRAGE POST-OP",
        "t1 post surgery", "T1 POST OP PRE GD", "T1 NON CE",
    ],
)  # fmt: skip
def test_an_agent_that_was_not_given_is_none(description):
    native = replace(GOOD, description=description)
    assert contrast_of(native) == "T1w"
    assert choose([native], "ce-T1w")[0] is None
    assert contrast_of(replace(native, contrast_agent=True)) == "ce-T1w"  # the header knows better


@pytest.mark.parametrize(
    "description",
    [
        "T1 PRE-OP POST CONTRAST", "T1 pre op +C", "T1 nach KM", "T1 vor und nach KM",
        "T1 PRE AND POST CONTRAST", "MPRAGE with and without contrast", "T1 W/WO CONTRAST",
        "T1 contrast", "t1_mprage_post_gd", "T1 MPRAGE CE", "T1 POST-OP POST GD",
    ],
)  # fmt: skip
def test_an_agent_that_was_given_is_found_beside_other_words(description):
    assert contrast_of(replace(GOOD, description=description)) == "ce-T1w"


def test_an_agent_in_the_header_counts_as_one_in_the_name():
    assert contrast_of(replace(GOOD, contrast_agent=True)) == "ce-T1w"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({}, ""),
        ({"modality": "CT"}, "is CT, not MR"),
        ({"image_type": ("DERIVED", "MIP")}, "is DERIVED, MIP, not an acquisition"),
        ({"shape": (64, 64, 30, 200)}, "not that of a volume"),
        ({"spacing": (0.5, 0.5, 5.0)}, "voxels of 5 mm: 3.5 mm at most"),
        ({"shape": (256, 256, 40)}, "covers 40 mm: 100 mm at least"),
        ({"problem": "slices are missing"}, "slices are missing"),
    ],
)
def test_what_is_no_whole_brain(changes, why):
    assert why in unusable(replace(GOOD, **changes))
    assert bool(unusable(replace(GOOD, **changes))) == bool(why)


def test_what_was_there_is_said_where_nothing_fits():
    found, why = choose([GOOD, replace(GOOD, modality="CT")], "FLAIR")
    assert found is None
    assert why == "no series fits FLAIR: 3 MPRAGE: 176 x 256 x 256, 1 x 1 x 1 mm"
    assert choose([], "T1w")[1].endswith("none that is a whole brain in 3D")
    assert choose([GOOD], "FLAIR", wanted="mprage")[0] == GOOD


def test_parts_of_one_series_are_told_apart():
    one, two = (replace(GOOD, part=part) for part in ("e1", "e2"))
    assert choose([one, two], "T1w", "e2$") == (two, "")
    assert choose([one], "T1w", "MPRAGE$") == (one, "")  # as without a part
    why = choose([one, two], "T1w")[1]
    assert "3 MPRAGE e1: 176" in why
    assert choose([one, two], "T1w", "^3 .* e1$")[0] == one  # as the message says
    assert "series='^3 " not in why
    assert "'^3 .* e1$' for example" in why
    assert choose([GOOD, two], "T1w", "MPRAGE$") == (GOOD, "")
    assert "'^3 .* e2$'" in choose([GOOD, two], "T1w")[1]
    assert "series='^NUMBER DESCRIPTION$'" in choose([GOOD, replace(GOOD)], "T1w")[1]
    assert choose([one, replace(GOOD, number=4)], "T1w")[1].endswith("Name one: series='^NUMBER '")
