"""Walks through HTML once, tag by tag, and writes it as Markdown.

There is no tree: nesting costs neither stack nor memory, and the time is in proportion to the page.
Links and emphasis are dropped, for what is read is searched and quoted, not browsed.
"""

from __future__ import annotations

import re
from html.parser import HTMLParser

from adapters.documents.html_pruning import VOID, is_around_the_text, is_never_text, is_note
from adapters.documents.markdown_writer import MarkdownWriter

_BLOCK_NAMES = (
    "address article aside blockquote body caption center dd details dialog dir div dl dt fieldset figcaption figure "
    "footer form h1 h2 h3 h4 h5 h6 header hr html legend li main menu nav ol p pre section summary table tbody td "
    "tfoot th thead tr ul"
)
_BLOCKS = frozenset(_BLOCK_NAMES.split())
_HEADINGS = {"h1": 1, "h2": 2, "h3": 3, "h4": 4, "h5": 5, "h6": 6}
_LISTS = frozenset({"ul", "ol", "dl", "menu", "dir"})
_WHITE_SPACE = re.compile(r"[ \t\n\r\f\v\u00a0]+")
_LANGUAGE_CLASS = re.compile(r"(?:^|\s)lang(?:uage)?-([\w+#-]{1,20})")
# Stands for <br> in collected text, where white space means nothing. Input never has it.
_LINE_BREAK = "\0"


class _Table:
    """A table on its way: ``rows`` of cells' texts. A table used for layout is not written as one."""

    def __init__(self, *, is_layout: bool) -> None:
        self.is_layout = is_layout
        self.rows: list[list[str]] = []
        self.in_cell = False

    def begin_cell(self) -> None:
        if not self.rows:
            self.rows.append([])
        self.rows[-1].append("")
        self.in_cell = True

    def add(self, text: str) -> None:
        cell = self.rows[-1][-1]
        self.rows[-1][-1] = f"{cell} {text}" if cell else text


class HtmlWalk(HTMLParser):
    """One pass over a page. With ``whole`` also what leads through the site is kept."""

    def __init__(self, *, whole: bool = False) -> None:
        super().__init__(convert_charrefs=True)
        self.writer = MarkdownWriter()
        self.title = ""
        self.language: str | None = None
        self.main: tuple[int, int] | None = None
        self._whole = whole
        self._inline: list[str] = []
        self._heading = 0
        self._pre: list[str] | None = None
        self._pre_language = ""
        self._tables: list[_Table] = []
        self._skipped: tuple[str, int] | None = None
        self._in_title = False
        self._articles = 0
        self._in_note = False
        self._main_from: int | None = None

    def walk(self, html: str) -> None:
        """Go through the page; once per instance."""
        tail = html.rfind(">") + 1
        self.feed(html[:tail])
        self.close()
        self.handle_data(html[tail:])
        self._end_pre()
        self._flush()
        while self._tables:
            self._end_table()
        self._end_main()

    def parse_marked_section(self, i: int, report: bool = True) -> int:  # noqa: ARG002, FBT001, FBT002
        """Take ``<![…]>`` of any kind for a comment; the inherited method raises AssertionError for unknown ones."""
        return self.parse_bogus_comment(i)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Open an element."""
        if self._skipped is not None:
            if tag == self._skipped[0]:
                self._skipped = (tag, self._skipped[1] + 1)
            return
        attributes = dict(attrs)
        if self._is_skipped(tag, attributes):
            if tag not in VOID:
                self._skipped = (tag, 1)
            return
        if self._pre is not None:
            self._start_in_pre(tag, attributes)
            return
        if tag in _BLOCKS:
            self._flush()
        self._start(tag, attributes)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Open an element and close it, as XHTML may; HTML itself ignores the stroke but in void elements."""
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        """Close an element."""
        if self._skipped is not None:
            depth = self._skipped[1] - (tag == self._skipped[0])
            self._skipped = (self._skipped[0], depth) if depth else None
            return
        if tag == "pre":
            self._end_pre()
        elif self._pre is not None:
            return
        if tag in _BLOCKS:
            self._flush()
        self._end(tag)

    def handle_data(self, data: str) -> None:
        """Take text."""
        if self._skipped is not None:
            return
        if self._in_title:
            self.title += data
        elif self._pre is not None:
            self._pre.append(data)
        else:
            self._inline.append(data)

    def _is_skipped(self, tag: str, attributes: dict[str, str | None]) -> bool:
        if is_never_text(tag, attributes):
            return True
        return not self._whole and is_around_the_text(tag, attributes, in_article=self._articles > 0)

    def _start(self, tag: str, attributes: dict[str, str | None]) -> None:
        if tag in _HEADINGS:
            self._demote_table()
            # The word "Note" over a box is no heading: what follows the box would stand beneath it.
            self._heading = 0 if self._in_note else _HEADINGS[tag]
        elif tag in _LISTS:
            self.writer.open_list(ordered=tag == "ol")
        elif tag in {"li", "dt"}:
            self.writer.item()
        elif tag == "br":
            self._inline.append(_LINE_BREAK)
        elif tag == "img":
            self._inline.append(f" {attributes.get('alt') or ''} ")
        elif tag == "pre":
            self._demote_table()
            self._pre, self._pre_language = [], _language_of(attributes)
        elif tag == "title":
            self._in_title = not self.title
        elif tag == "html":
            self.language = attributes.get("lang") or attributes.get("xml:lang")
        else:
            self._start_structure(tag, attributes)

    def _start_structure(self, tag: str, attributes: dict[str, str | None]) -> None:
        if tag == "table":
            self._demote_table()
            self._tables.append(_Table(is_layout=attributes.get("role") == "presentation"))
        elif tag == "tr" and self._tables:
            self._tables[-1].rows.append([])
        elif tag in {"td", "th"} and self._tables:
            self._tables[-1].begin_cell()
        elif tag in {"main", "article"}:
            self._articles += 1
            if tag == "main" and self.main is None:
                self._main_from = len(self.writer.blocks)
        elif tag in {"div", "aside"}:
            self._in_note = is_note(attributes)

    def _end(self, tag: str) -> None:
        if tag in _HEADINGS:
            self._heading = 0
        elif tag in _LISTS:
            self.writer.close_list()
        elif tag == "title":
            self._in_title = False
        elif tag == "table":
            self._end_table()
        elif tag in {"td", "th"} and self._tables:
            self._tables[-1].in_cell = False
        elif tag in {"main", "article"}:
            self._articles -= self._articles > 0
            if tag == "main":
                self._end_main()

    def _start_in_pre(self, tag: str, attributes: dict[str, str | None]) -> None:
        assert self._pre is not None  # noqa: S101 - told to the type checker
        self._pre_language = self._pre_language or _language_of(attributes)
        if tag == "br" or (tag in _BLOCKS and self._pre and not self._pre[-1].endswith("\n")):
            self._pre.append("\n")

    def _end_pre(self) -> None:
        if self._pre is None:
            return
        lines = "".join(self._pre).split("\n")
        self._pre = None
        kept = [number for number, line in enumerate(lines) if line.strip()]
        if kept:
            self.writer.code(
                "\n".join(line.rstrip() for line in lines[kept[0] : kept[-1] + 1]), self._pre_language
            )

    def _end_table(self) -> None:
        if self._tables:
            table = self._tables.pop()
            if not table.is_layout:
                self.writer.table([row for row in table.rows if any(row)])

    def _demote_table(self) -> None:
        """A table that has headings, code or tables within is there for the layout: its cells become text."""
        if self._tables and not self._tables[-1].is_layout:
            table = self._tables[-1]
            table.is_layout = True
            for row in table.rows:
                for cell in filter(None, row):
                    self.writer.paragraph(cell)
            table.rows.clear()

    def _end_main(self) -> None:
        if self._main_from is not None:
            self.main = (self._main_from, len(self.writer.blocks))
            self._main_from = None

    def _flush(self) -> None:
        """Write the text collected since the last block began or ended."""
        if not self._inline:
            return
        collected = _WHITE_SPACE.sub(" ", "".join(self._inline))
        self._inline.clear()
        lines = [line.strip() for line in collected.split(_LINE_BREAK)]
        text = "\n".join(line for line in lines if line)
        if not text:
            return
        self._in_note = False
        table = self._tables[-1] if self._tables else None
        if table is not None and table.in_cell and not table.is_layout:
            table.add(text)
        elif self._heading:
            self.writer.heading(self._heading, text)
            self._heading = 0
        else:
            self.writer.paragraph(text)


def _language_of(attributes: dict[str, str | None]) -> str:
    match = _LANGUAGE_CLASS.search(attributes.get("class") or "")
    return match[1] if match else ""
