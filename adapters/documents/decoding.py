"""From bytes to clean text: encodings, line ends, characters that have no place in a text."""

from __future__ import annotations

import codecs
import re
import unicodedata

from domain.document import UnreadableDocument

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# Declared names are obeyed only if they are encodings of text in which ASCII is itself. As browsers do, Latin-1 and
# ASCII are read as their superset, Windows-1252 (https://encoding.spec.whatwg.org/#names-and-labels).
_DECLARABLE = re.compile(
    r"utf-8|iso8859-\d+|cp125\d|cp1361|cp8\d\d|cp949|koi8-[rtu]|gb.*|big5.*|shift_jis.*|euc_.*|mac-.*"
)
_WINDOWS_1252 = frozenset({"ascii", "iso8859-1", "cp1252"})
_SAMPLE_BYTES = 65_536
_CONTROL_BYTES = bytes([*range(0x09), 0x0B, *range(0x0E, 0x1B), *range(0x1C, 0x20), 0x7F])
_MOST_CONTROL_BYTES = 0.02

_LINE_ENDS = re.compile("\r\n?|[\x0b\x0c\x85\u2028\u2029]")
# Control characters, and those that only say where a word may or may not be broken.
_NOT_TEXT = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\u00ad\u200b\u2060\ufeff]")
_SURROGATES = re.compile("[\ud800-\udfff]")
# Normalising sorts each run of combining marks by insertion, so endless runs are normalised in parts.
_ENDLESS_RUN = re.compile(r"([^\w\s\x00-\x7f]{256})")


def decoded(content: bytes, *, declared: str | None = None) -> str:
    """The text by its byte order mark, its declared encoding, UTF-8, or else Windows-1252; raises UnreadableDocument."""
    for mark, encoding in _BOMS:
        if content.startswith(mark):
            return _strictly(content[len(mark) :], encoding)
    if b"\0" in content:
        return _strictly(content, _unmarked_utf16(content))
    encoding = _declared_encoding(declared)
    for candidate in dict.fromkeys((encoding, "utf-8")):
        try:
            return content.decode(candidate)
        except UnicodeDecodeError:
            continue
    sample = content[:_SAMPLE_BYTES]
    if len(sample) - len(sample.translate(None, _CONTROL_BYTES)) > _MOST_CONTROL_BYTES * len(sample):
        raise UnreadableDocument("the file is binary, not text")
    return content.decode("cp1252", errors="replace")


def clean(text: str) -> str:
    """The text in Unicode normal form C, with line feeds at line ends and without control characters but tabs."""
    text = _LINE_ENDS.sub("\n", text)
    text = _SURROGATES.sub("\N{REPLACEMENT CHARACTER}", _NOT_TEXT.sub("", text))
    if text.isascii():
        return text
    return "".join(unicodedata.normalize("NFC", part) for part in _ENDLESS_RUN.split(text))


def _strictly(content: bytes, encoding: str) -> str:
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        raise UnreadableDocument(f"the file is not valid {encoding.upper()}: byte {error.start}") from error


def _unmarked_utf16(content: bytes) -> str:
    """UTF-16 without a mark, told by zero bytes in every second place only; anything else is binary."""
    sample = content[:_SAMPLE_BYTES]
    even, odd = sample[0::2], sample[1::2]
    half = len(sample) // 2
    if len(content) % 2 == 0:
        if odd.count(0) > 0.7 * half and 0 not in even:
            return "utf-16-le"
        if even.count(0) > 0.7 * half and 0 not in odd:
            return "utf-16-be"
    raise UnreadableDocument("the file is binary, not text: it has zero bytes")


def _declared_encoding(declared: str | None) -> str:
    try:
        name = codecs.lookup((declared or "utf-8").strip()).name
    except (LookupError, ValueError):
        return "utf-8"
    if name in _WINDOWS_1252:
        return "cp1252"
    return name if _DECLARABLE.fullmatch(name) else "utf-8"
