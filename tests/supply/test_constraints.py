from importlib.metadata import distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).parents[2]
OLDEST = "3.11.0"  # of `requires-python = ">=3.11"` in pyproject.toml


def pinned_for(python: str) -> dict[str, str]:
    """Name and version of each pin that `python` follows."""
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = [Requirement(line) for line in lines if line]
    return {
        pin.name.lower().replace("_", "-"): str(pin.specifier)
        for pin in pins
        if pin.marker is None or pin.marker.evaluate({"python_full_version": python})
    }


def test_the_oldest_python_that_is_allowed_can_install_every_pin():
    pins = pinned_for(OLDEST)
    refused = []
    for package in distributions():
        name = package.metadata["Name"].lower().replace("_", "-")
        pythons = SpecifierSet(package.metadata["Requires-Python"] or "")
        if pins.get(name) == f"=={package.version}" and OLDEST not in pythons:
            refused.append((name, package.version, str(pythons)))
    assert refused == []


def test_every_python_follows_one_pin_a_package():
    assert set(pinned_for(OLDEST)) == set(pinned_for("3.13.0"))
