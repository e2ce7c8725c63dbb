"""Reads Word documents: mammoth makes HTML of them, which is read as any other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from io import BytesIO
from zipfile import BadZipFile, ZipFile, ZipInfo

import mammoth

from adapters.documents.decoding import clean
from adapters.documents.html import html_to_document
from domain.document import ReadDocument, UnreadableDocument
from domain.errors import FactflowError

# Parts of a document become trees in memory, some ten times their size.
MAX_XML_BYTES = 50 * 1024 * 1024
_MAIN_PART = "word/document.xml"
# Byte order marks of UTF-8 and UTF-16, and white space.
_BEFORE_XML = b"\xef\xbb\xbf\xfe\xff \t\r\n"
_COMPOUND_FILE = b"\xd0\xcf\x11\xe0"
_STYLES = (
    "p[style-name='Title'] => h1:fresh\np[style-name='Subtitle'] => p:fresh\nr[style-name='Code'] => code"
)


def read_docx(content: bytes) -> ReadDocument:
    """A Word document's text with its headings, lists and tables; images count by their description alone.

    Raises UnreadableDocument when it is encrypted, damaged, of the old binary format, or too large when unpacked.
    """
    if content.startswith(_COMPOUND_FILE):
        raise UnreadableDocument(
            "the Word document is encrypted or in the format before 2007; save it as .docx"
        )
    with _translating():
        _require_harmless(content)
        html = mammoth.convert_to_html(
            BytesIO(content),
            style_map=_STYLES,
            include_embedded_style_map=False,
            convert_image=mammoth.images.img_element(lambda _image: {}),
        ).value
    return replace(html_to_document(clean(html)), metadata={})


def _require_harmless(content: bytes) -> None:
    with ZipFile(BytesIO(content)) as archive:
        # By their content: the document's main part has whatever name its relationships give it.
        beginnings = {part: _beginning(archive, part) for part in archive.infolist()}
        parts = [part for part, beginning in beginnings.items() if _may_be_xml(beginning)]
        size = sum(part.file_size for part in parts)
        if size > MAX_XML_BYTES:
            limit = f"{MAX_XML_BYTES:,} bytes"
            raise UnreadableDocument(
                f"the Word document has {size:,} bytes of text when unpacked; the limit is {limit}"
            )
        if _MAIN_PART not in archive.namelist() and not any("document" in part.filename for part in parts):
            raise UnreadableDocument("the file is a zip archive, not a Word document")
        if any(b"<!DOCTYPE" in beginnings[part].upper() for part in parts):
            raise UnreadableDocument("the Word document declares entities, which no Word document does")


def _beginning(archive: ZipFile, part: ZipInfo) -> bytes:
    """The first characters of a part, be they of one byte or two."""
    with archive.open(part) as stream:
        return stream.read(4096).replace(b"\0", b"")


def _may_be_xml(beginning: bytes) -> bool:
    """Whether the part begins as XML must, or with so much white space that one cannot tell."""
    return beginning.lstrip(_BEFORE_XML)[:1] in {b"<", b""}


@contextmanager
def _translating() -> Iterator[None]:
    """Turn what zipfile, the XML parser and mammoth raise into UnreadableDocument."""
    try:
        yield
    except FactflowError:
        raise
    except BadZipFile as error:
        raise UnreadableDocument("the file is truncated or not a Word document") from error
    except RecursionError as error:
        raise UnreadableDocument("the Word document is nested too deeply") from error
    except Exception as error:
        raise UnreadableDocument(
            f"the Word document is damaged: {type(error).__name__}: {str(error)[:200]}"
        ) from error
