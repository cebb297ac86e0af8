"""What must hold of every page, read with the parser of the standard library."""

import itertools
from html.parser import HTMLParser

from neuromf.reporting.page import fingerprint

VOID = {"meta", "img", "br", "hr", "link", "input"}
ADDRESSES = {"src", "href", "srcset", "action", "poster", "data"}  # attributes that name a file


class Page(HTMLParser):
    """The elements of a page: `tags` in order as (name, attributes), `text` as one string."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.open, self.wrong = [], []
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.pieces: list[str] = []
        self.scripts: list[tuple[dict[str, str], str]] = []  # attributes and text
        self.feed(source)
        self.close()
        self.wrong += [f"<{name}> is not closed" for name in self.open]

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open[-1] != tag:
            self.wrong.append(f"</{tag}> in <{self.open[-1] if self.open else ''}>")
        else:
            self.open.pop()

    def handle_data(self, data):
        if "script" in self.open:
            self.scripts.append((self.all("script")[-1], data))
        elif "style" not in self.open:
            self.pieces.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.pieces).split())

    def all(self, name: str) -> list[dict[str, str]]:
        """The attributes of each element of a name."""
        return [attributes for tag, attributes in self.tags if tag == name]


def check_page(source: str, verb: str, scripts: int = 0) -> Page:
    """Return a page in which all holds that every page promises, with so many scripts: those that its policy names by their content."""
    page = Page(source)
    assert page.wrong == []
    assert page.all("html") == [{"lang": "en"}]
    assert len(page.all("h1")) == len(page.all("title")) == len(page.all("main")) == 1
    assert "width=device-width" in source
    assert "prefers-color-scheme: dark" in source
    assert "@media print" in source

    assert [tag for tag, _ in page.tags if tag in ("link", "iframe", "object")] == []
    texts = [t for a, t in page.scripts if "type" not in a]
    assert len(texts) == scripts
    assert all(fingerprint(text) in source for text in texts)
    assert ("script-src" in source) == bool(scripts)
    assert [a for _, attributes in page.tags for a in attributes if a.startswith("on")] == []
    named = [a[key] for tag, a in page.tags if tag != "a" for key in ADDRESSES & a.keys()]
    assert [
        n[:60]
        for n in named
        if not n.startswith(("data:image/png;base64,", "data:image/jpeg;base64,"))
    ] == []
    assert "url(" not in source
    assert "@import" not in source

    assert all(picture.get("alt") for picture in page.all("img"))
    assert all(cell.get("scope") in ("col", "row") for cell in page.all("th"))
    levels = [int(tag[1]) for tag, _ in page.tags if tag in ("h1", "h2", "h3", "h4")]
    assert all(b <= a + 1 for a, b in itertools.pairwise(levels))

    for words in ("How this page was made", "Started", "Version", "NeuroMF", f"neuromf {verb} "):
        assert words in page.text
    return page
