"""Reads PDF with pypdf, page by page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO

from pypdf import PdfReader
from pypdf.errors import DependencyError

from adapters.documents.decoding import clean
from adapters.documents.markdown_writer import escaped
from adapters.documents.pdf_outline import Outline, outline_of
from domain.document import EmptyDocument, ReadDocument, UnreadableDocument
from domain.errors import FactflowError
from domain.language import primary_subtag

# Pages may share their content and be listed many times: a file of a few kilobytes can unfold to any size.
MAX_CHARACTERS = 50_000_000
_SIGNATURE_WITHIN_BYTES = 1024
_HYPHENATED = re.compile(r"(?<=[^\W\d_])-[ \t]*\n[ \t]*(?=[a-zß-öø-ÿ])")
_SPACE_AT_LINE_END = re.compile(r"[ \t]+(?=\n|$)")
# What word processors put for a title is often the name of a file.
_NO_TITLE = re.compile(r"untitled.*|.*\.\w{2,5}|microsoft word - .*|\W*", re.IGNORECASE)


def read_pdf(content: bytes, *, most_characters: int = MAX_CHARACTERS) -> ReadDocument:
    """A PDF's text with the beginnings of its pages; entries of its outline become headings where they stand.

    Raises UnreadableDocument when it is encrypted, truncated, no PDF or too long, EmptyDocument when its pages have no text.
    """
    if b"%PDF-" not in content[:_SIGNATURE_WITHIN_BYTES]:
        raise UnreadableDocument("the file is not a PDF, whatever its name says")
    with _translating(content):
        reader = PdfReader(BytesIO(content))
        _require_open(reader)
        outline = outline_of(reader)
        pages = _page_texts(reader, outline, most_characters)
        title = clean(str(reader.metadata.title or "")) if reader.metadata else ""
        language = str(reader.root_object.get("/Lang", ""))
    if not any(pages):
        raise EmptyDocument(
            f"the PDF has no text on its {len(pages)} pages; scanned pages would have to be recognised"
        )
    return ReadDocument(
        markdown="\n\n".join(pages),
        title=None if _NO_TITLE.fullmatch(title) else title,
        page_starts=tuple(_starts(pages)),
        language=primary_subtag(language),
    )


def _starts(pages: list[str]) -> Iterator[int]:
    position = 0
    for page in pages:
        yield position
        position += len(page) + len("\n\n")


def _page_texts(reader: PdfReader, outline: Outline, most_characters: int) -> list[str]:
    pages: list[str] = []
    characters = 0
    for number, page in enumerate(reader.pages):
        pages.append(_page_text(page.extract_text(), outline, number))
        characters += len(pages[-1])
        if characters > most_characters:
            raise UnreadableDocument(
                f"the PDF has more than {most_characters:,} characters, reached on page {number + 1}; split it"
            )
    return pages


def _page_text(extracted: str, outline: Outline, number: int) -> str:
    text = _SPACE_AT_LINE_END.sub("", clean(extracted)).strip()
    return outline.with_headings(escaped(_HYPHENATED.sub("", text)), number)


def _require_open(reader: PdfReader) -> None:
    """Many PDFs are encrypted with an empty password, to restrict printing; others need one."""
    if reader.is_encrypted and not reader.decrypt(""):
        raise UnreadableDocument("the PDF is encrypted and needs a password")


@contextmanager
def _translating(content: bytes) -> Iterator[None]:
    """Turn whatever pypdf's parsing runs into (KeyError, RecursionError, …) into UnreadableDocument."""
    try:
        yield
    except FactflowError:
        raise
    except DependencyError as error:
        raise UnreadableDocument("the PDF is encrypted in a way that cannot be read") from error
    except Exception as error:
        if b"%%EOF" not in content[-2048:]:
            raise UnreadableDocument("the PDF is truncated: its end is missing") from error
        raise UnreadableDocument(f"the PDF is damaged: {type(error).__name__}: {str(error)[:200]}") from error
