"""Reads plain text and Markdown."""

from __future__ import annotations

import re
from itertools import islice

from adapters.documents.decoding import clean, decoded
from domain.document import ReadDocument
from domain.language import primary_subtag
from domain.segmentation.blocks import Kind, blocks, heading_title

_FRONT_MATTER = re.compile(
    r"\A---[ \t]*\n(.{0,20000}?)^(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE
)
_FIELD = re.compile(r"^(title|lang|language)[ \t]*:[ \t]*(.+?)[ \t]*$", re.IGNORECASE | re.MULTILINE)
# A title stands near the beginning or nowhere.
_TITLE_WITHIN_BLOCKS = 20


def read_text(content: bytes) -> ReadDocument:
    """Plain text as it is; underlined lines in it are headings. Raises UnreadableDocument when it is binary."""
    text = clean(decoded(content))
    return ReadDocument(markdown=text, title=_title(text, within=1))


def read_markdown(content: bytes) -> ReadDocument:
    """Markdown as it is, without its front matter, which may give the title and the language."""
    text = clean(decoded(content))
    front = _FRONT_MATTER.match(text)
    fields = {name.lower(): value.strip("\"'") for name, value in _FIELD.findall(front[1])} if front else {}
    markdown = text[front.end() :] if front else text
    return ReadDocument(
        markdown=markdown,
        title=fields.get("title") or _title(markdown, within=_TITLE_WITHIN_BLOCKS),
        language=primary_subtag(fields.get("lang") or fields.get("language")),
    )


def _title(markdown: str, *, within: int) -> str | None:
    first = islice(blocks(markdown), within)
    return next((heading_title(markdown, block) for block in first if block.kind is Kind.HEADING), None)
