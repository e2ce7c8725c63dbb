"""Chooses how to read a file by its name, and looks whether its content agrees."""

from __future__ import annotations

import os.path
from collections.abc import Callable
from dataclasses import replace
from pathlib import PurePath
from typing import NamedTuple

from adapters.documents.docx import read_docx
from adapters.documents.html import read_html
from adapters.documents.pdf import read_pdf
from adapters.documents.plain_text import read_markdown, read_text
from domain.document import EmptyDocument, ReadDocument, UnreadableDocument, UnsupportedDocument

MAX_TITLE_CHARACTERS = 300


class _Format(NamedTuple):
    name: str
    read: Callable[[bytes], ReadDocument]
    is_binary: bool = False


_MARKDOWN = _Format("markdown", read_markdown)
_HTML = _Format("html", read_html)
_TEXT = _Format("text", read_text)
_PDF = _Format("pdf", read_pdf, is_binary=True)
_DOCX = _Format("docx", read_docx, is_binary=True)
_FORMATS = {
    ".md": _MARKDOWN,
    ".markdown": _MARKDOWN,
    ".html": _HTML,
    ".htm": _HTML,
    ".xhtml": _HTML,
    ".txt": _TEXT,
    ".text": _TEXT,
    ".rst": _TEXT,
    ".pdf": _PDF,
    ".docx": _DOCX,
}
_SIGNATURES = (
    (b"%PDF-", "a PDF"),
    (b"PK\x03\x04", "a zip archive or an office document"),
    (b"\xd0\xcf\x11\xe0", "an office document of the old format"),
    (b"{\\rtf", "rich text"),
    (b"\x1f\x8b", "compressed by gzip"),
    (b"\x89PNG", "an image"),
    (b"\xff\xd8\xff", "an image"),
    (b"GIF8", "an image"),
    (b"\x7fELF", "a program"),
)
_HTML_BEGINNINGS = (b"<!doctype html", b"<html", b"<?xml")


class FormatDocumentReader:
    """Implements DocumentReader for Markdown, HTML, plain text, PDF and Word documents."""

    @property
    def version(self) -> str:
        """Raised when the same file may be read as other Markdown."""
        return "1"

    def supports(self, name: str) -> bool:
        """Whether the name ends like one of the formats."""
        return _extension(name) in _FORMATS

    def read(self, name: str, content: bytes) -> ReadDocument:
        """Read one file; raises UnsupportedDocument, UnreadableDocument, EmptyDocument."""
        format_ = _FORMATS.get(_extension(name))
        if format_ is None:
            known = ", ".join(_FORMATS)
            raise UnsupportedDocument(f"there is no reader for {_shown(name)}; these are read: {known}")
        if not content.strip():
            raise EmptyDocument(f"{_shown(name)} is empty")
        _require_agreement(name, format_, content)
        read = format_.read(content)
        if not read.markdown.strip():
            raise EmptyDocument(f"{_shown(name)} has no text")
        title = " ".join((read.title or "").split())[:MAX_TITLE_CHARACTERS]
        return replace(read, title=title or None, metadata={"format": format_.name, **read.metadata})


def _require_agreement(name: str, format_: _Format, content: bytes) -> None:
    beginning = content[:512].lstrip()
    if format_.is_binary:
        if beginning.lower().startswith(_HTML_BEGINNINGS):
            raise UnreadableDocument(f"{_shown(name)} is not what its name says: it is a web page")
        return
    for signature, what in _SIGNATURES:
        if content.startswith(signature):
            raise UnreadableDocument(f"{_shown(name)} is not what its name says: it is {what}")


def _extension(name: str) -> str:
    return os.path.splitext(name)[1].lower()  # noqa: PTH122 - asked of every file, and ten times as quick


def _shown(name: str) -> str:
    return repr(PurePath(name).name[-100:])
