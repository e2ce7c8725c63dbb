"""The documentation: links lead somewhere, one sentence stands on a line, and generated pages are up to date."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.tree import ROOT
from tests.reference.pages import PAGES

DOCS = ROOT / "docs"
TOP = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
PAGES_WRITTEN = sorted(DOCS.rglob("*.md")) + TOP

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
TWO_SENTENCES = re.compile(r"[a-z0-9)`*\"][.!?][)*\"]* +[A-Z`*\"\[]")
LIST_MARK = re.compile(r"^\s*(?:[-*>]|\d+\.) ")
ABBREVIATED = re.compile(r"\b(e\.g|i\.e|etc|vs|cf|No|St|Dr)\. ")


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def prose(page: Path) -> Iterator[tuple[int, str]]:
    """The numbered lines of a page that are text: no code, no tables, no comments."""
    fenced = False
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), start=1):
        if line.lstrip().startswith("```"):
            fenced = not fenced
        elif not fenced and line.strip() and not line.lstrip().startswith(("|", "<!--", "    ")):
            yield number, line


def anchors(page: Path) -> set[str]:
    """The anchors that a page's headings have on the usual hosts."""
    headings = [line.lstrip("#").strip() for _, line in prose(page) if line.startswith("#")]
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES_WRITTEN, ids=relative)
def test_links_lead_somewhere(page: Path) -> None:
    dangling: list[str] = []
    for number, line in prose(page):
        for target in LINK.findall(line):
            if re.match(r"[a-z]+:", target):
                continue
            name, _, anchor = target.partition("#")
            aim = (page.parent / name).resolve() if name else page
            if not aim.exists() or (anchor and aim.suffix == ".md" and anchor not in anchors(aim)):
                dangling.append(f"{relative(page)}:{number} {target}")
    assert dangling == []


@pytest.mark.parametrize("page", PAGES_WRITTEN, ids=relative)
def test_one_sentence_stands_on_a_line(page: Path) -> None:
    crowded = [
        f"{relative(page)}:{number} {line.strip()[:80]}"
        for number, line in prose(page)
        if not line.startswith("#") and TWO_SENTENCES.search(ABBREVIATED.sub("", LIST_MARK.sub("", line)))
    ]
    broken = [
        f"{relative(page)}:{number} {line.strip()[:80]}"
        for number, line in prose(page)
        if not line.startswith(("#", "-", "*", ">", " ", "!", "[", *"0123456789"))
        and not line.rstrip("*_`)\"' ").endswith((".", ":", "?", "!"))
    ]
    assert crowded + broken == []


@pytest.mark.parametrize("page", PAGES_WRITTEN, ids=relative)
def test_a_page_begins_with_its_title(page: Path) -> None:
    lines = page.read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("# ")
    assert [line for _, line in prose(page) if line.startswith("# ")] == lines[:1]


def test_every_page_is_in_the_index() -> None:
    index = DOCS / "README.md"
    linked = {
        (DOCS / target.partition("#")[0]).resolve() for target in LINK.findall(index.read_text("utf-8"))
    }
    assert sorted(relative(page) for page in DOCS.rglob("*.md") if page != index and page not in linked) == []


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_a_generated_page_is_up_to_date(page: Path) -> None:
    """When this fails: `python -m tests.reference`, then look at the difference."""
    assert page.exists()
    assert page.read_text(encoding="utf-8") == PAGES[page]()


def test_nothing_left_over_is_written_down() -> None:
    remarks = re.compile(r"\b(TODO|FIXME|XXX|TBD|lorem ipsum)\b", re.IGNORECASE)
    found = [
        f"{relative(page)}:{number}"
        for page in PAGES_WRITTEN
        for number, line in prose(page)
        if remarks.search(line)
    ]
    assert found == []
