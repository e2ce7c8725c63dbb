"""Reads HTML pages."""

from __future__ import annotations

import re

from adapters.documents.decoding import clean, decoded
from adapters.documents.html_walk import HtmlWalk
from adapters.documents.markdown_writer import joined
from domain.document import ReadDocument
from domain.language import primary_subtag

_DECLARATION = re.compile(
    rb"""<meta\b[^>]{0,200}\bcharset\s*=\s*["']?\s*([\w-]+)|<\?xml\b[^>]{0,100}\bencoding\s*=\s*["']([\w-]+)""",
    re.IGNORECASE,
)
_DECLARED_WITHIN_BYTES = 4096
# A page's <main> is taken for its text if it has at least this share of it.
_MAIN_SHARE = 0.2
_HEADING = re.compile(r"(?m)^(#{1,6}) (.+)$")
# Python makes no number of so many digits: ValueError, for a whole page.
_ENDLESS_REFERENCE = re.compile(r"&#[0-9]{1000,};?")


def read_html(content: bytes) -> ReadDocument:
    """A page as Markdown; raises UnreadableDocument when it is binary."""
    declaration = _DECLARATION.search(content, 0, _DECLARED_WITHIN_BYTES)
    declared = (declaration[1] or declaration[2]).decode() if declaration else None
    return html_to_document(clean(decoded(content, declared=declared)))


def html_to_document(html: str) -> ReadDocument:
    """Markup of a whole page or a fragment as Markdown.

    What leads through the site is dropped, unless nothing but headings would be left, as in tables of contents.
    """
    html = _ENDLESS_REFERENCE.sub("\N{REPLACEMENT CHARACTER}", html)
    walk = _walked(html, whole=False)
    if not walk.writer.characters:
        walk = _walked(html, whole=True)
    markdown = clean(_main_text(walk))
    return ReadDocument(
        markdown=markdown,
        title=" ".join(walk.title.split()) or first_heading(markdown),
        language=primary_subtag(walk.language),
    )


def first_heading(markdown: str) -> str | None:
    """What the first heading of written Markdown says."""
    match = _HEADING.search(markdown)
    return match[2].strip("# ") if match else None


def _walked(html: str, *, whole: bool) -> HtmlWalk:
    walk = HtmlWalk(whole=whole)
    walk.walk(html)
    return walk


def _main_text(walk: HtmlWalk) -> str:
    text = walk.writer.text
    if walk.main is None:
        return text
    main = joined(walk.writer.blocks[slice(*walk.main)])
    return main if len(main) >= _MAIN_SHARE * len(text) else text
