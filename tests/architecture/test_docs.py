"""The documentation: links lead somewhere, one sentence stands on a line, and generated pages are up to date."""

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import click
import pytest

from entrypoints.cli.main import factflow
from entrypoints.cli.server import server
from tests.architecture.tree import ROOT
from tests.reference.command_line import sentences
from tests.reference.pages import PAGES

DOCS = ROOT / "docs"
TOP = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
PAGES_WRITTEN = sorted(DOCS.rglob("*.md")) + TOP

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
TWO_SENTENCES = re.compile(r"[a-z0-9)`*\"][.!?][)*\"]* +[A-Z`*\"\[]")
LIST_MARK = re.compile(r"^\s*(?:[-*>]|\d+\.) ")
CALL = re.compile(
    r"(?<![\w/.-])(?:\.venv/bin/)?(factflow|python -m factflow_server)((?: --[\w-]+ \S+)*)((?: [a-z][a-z-]*){1,2})"
)
NAMED_TEST = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")
CODE = re.compile(r"`([^`\n]+)`")
TARGET = re.compile(r"\bmake ([a-z-]+)")
FILE = re.compile(
    r"(?:domain|application|adapters|entrypoints|factflow_server|tests|benchmarks|docs)/(?:[\w./-]*(?:\.\w+|/))?"
    r"|[\w-]+\.(?:toml|txt)|Makefile"
)
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


def cells(line: str) -> int:
    """How many cells a line of a table has; a bar that is escaped stands in its cell."""
    return len(re.findall(r"(?<!\\)\|", line.strip())) - 1


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
def test_a_row_of_a_table_has_a_cell_for_each_heading(page: Path) -> None:
    """What is too much is not shown, and everything before it stands under the wrong heading."""
    lines = page.read_text(encoding="utf-8").splitlines()
    uneven = [
        f"{relative(page)}:{number} {line[:80]}"
        for number, (above, line) in enumerate(pairwise(lines), start=2)
        if above.startswith("|") and line.startswith("|") and cells(above) != cells(line)
    ]
    assert uneven == []


def test_a_sentence_of_a_help_text_may_go_on_in_the_next_line() -> None:
    """Though click leaves the indentation in it; a blank line ends a paragraph."""
    text = (
        "Start it; stop it.\n\n    With a broker and a\n    storage they share. So it\n    is\n\n    Or not."
    )
    assert list(sentences(text)) == [
        "Start it; stop it.",
        "With a broker and a storage they share.",
        "So it is.",
        "Or not.",
    ]


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


def codes(page: Path) -> Iterator[str]:
    """Every line in a fence and every stretch of code in a sentence."""
    fenced = False
    for line in page.read_text(encoding="utf-8").splitlines():
        if line.lstrip().startswith("```"):
            fenced = not fenced
        elif fenced:
            yield line
        else:
            yield from CODE.findall(line)


def is_command(group: click.Command, words: list[str]) -> bool:
    """Whether the words begin with a command below the group; what follows are its arguments."""
    for word in words:
        if not isinstance(group, click.Group):
            return True
        if word not in group.commands:
            return group.invoke_without_command
        group = group.commands[word]
    return True


@pytest.mark.parametrize("page", PAGES_WRITTEN, ids=relative)
def test_commands_and_targets_on_a_page_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    wrong: list[str] = []
    for code in codes(page):
        wrong += [f"make {name}" for name in TARGET.findall(code) if name not in targets]
        for program, _, words in CALL.findall(code):
            if not is_command(factflow if program == "factflow" else server, words.split()):
                wrong.append(program + words)
    assert wrong == []


@pytest.mark.parametrize("page", PAGES_WRITTEN, ids=relative)
def test_files_of_the_project_on_a_page_exist(page: Path) -> None:
    named = (name for code in codes(page) for name in code.split() if FILE.fullmatch(name))
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_tests_that_are_named_exist() -> None:
    """A page that says what proves it must not outlive the proof."""
    named = [
        (page, *one) for page in PAGES_WRITTEN for one in NAMED_TEST.findall(page.read_text(encoding="utf-8"))
    ]
    missing = [
        f"{relative(page)}: {file}::{test}"
        for page, file, test in named
        if not (ROOT / file).is_file() or f"def {test}(" not in (ROOT / file).read_text(encoding="utf-8")
    ]
    assert named
    assert not missing
