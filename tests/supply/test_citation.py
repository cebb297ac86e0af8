"""CITATION.cff and .zenodo.json are valid, and say what the package says of itself."""

import json
import re
from pathlib import Path

import yaml

import neuromf

ROOT = Path(__file__).parents[2]
REQUIRED = {"cff-version", "message", "title", "authors"}  # of the Citation File Format 1.2.0
KNOWN = REQUIRED | {
    *("abstract", "commit", "contact", "date-released", "doi", "identifiers", "keywords"),
    *("license", "license-url", "preferred-citation", "references", "repository"),
    *("repository-artifact", "repository-code", "type", "url", "version"),
}
ZENODO = {"title", "description", "upload_type", "creators", "license"}


def citation():
    return yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))


def test_the_citation_has_what_its_format_asks_for():
    found = citation()
    assert REQUIRED <= found.keys() <= KNOWN
    assert found["cff-version"] == "1.2.0"
    for author in found["authors"]:
        assert author.keys() <= {"name", "family-names", "given-names", "orcid", "affiliation"}
        assert author.get("name") or author.get("family-names")
    for reference in found["references"]:
        assert {"authors", "title", "type"} <= reference.keys()


def test_zenodo_gets_the_same():
    found, cited = json.loads((ROOT / ".zenodo.json").read_text(encoding="utf-8")), citation()
    assert found.keys() >= ZENODO
    assert found["upload_type"] == "software"
    for key in ("title", "license", "version", "keywords"):
        assert found[key] == cited[key]
    assert [c["name"] for c in found["creators"]] == [a["name"] for a in cited["authors"]]


def test_version_and_licence_are_the_package_s():
    found = citation()
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert found["version"] == neuromf.__version__
    assert re.search(r'(?m)^license = "(.*)"', project)[1] == found["license"]
    assert all(a["name"] in project for a in found["authors"])
