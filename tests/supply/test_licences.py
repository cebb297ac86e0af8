"""Whatever a user installs with the package may be given away with it."""

import pytest

from supply.support import is_gpl, licence, needed


def test_dependencies_are_found_with_theirs():
    found = needed()
    assert {"torch", "monai", "numpy", "nilearn", "scikit-learn"} <= found.keys()
    assert not {"neuromf", "pytest", "codespell", "sphinx"} & found.keys()


def test_every_dependency_says_its_licence_and_none_is_gpl():
    said = {name: licence(distribution) for name, distribution in needed().items()}
    assert [name for name, text in said.items() if not text] == []
    assert {name: text for name, text in said.items() if is_gpl(text)} == {}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("GPL-2.0-only", True),
        ("GNU Affero General Public License v3", True),
        ("GNU General Public License v3 (GPLv3)", True),
        ("MIT AND GPL-3.0-or-later", True),
        ("MIT OR GPL-3.0-or-later", False),
        ("LGPL-2.1-or-later", False),
        ("GNU Lesser General Public License v3", False),
        ("Apache-2.0", False),
    ],
)
def test_gpl_is_told_apart(text, expected):
    assert is_gpl(text) == expected
