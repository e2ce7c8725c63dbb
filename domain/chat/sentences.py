"""The whole sentences of a Markdown text that can be quoted by themselves."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from domain.segmentation.blocks import Block, Kind, blocks, heading_title

MIN_CHARACTERS = 20
MAX_CHARACTERS = 500
MAX_CODE_CHARACTERS = 800

_END = re.compile(r"[.!?…][\"')\]”’»*_]*(?=\s|\Z)|[。！？][」』”]?|:(?=\s*\Z)")  # noqa: RUF001 - other scripts' stops
_ABBREVIATION = re.compile(
    r"(?:\b(?:e\.g|i\.e|etc|vs|cf|al|approx|resp|incl|Fig|Figs|Eq|Sect|Sec|Ch|No|Nos|Vol|pp?|Dr|Mr|Mrs|Ms|Prof|St|Jr"
    r"|Inc|Ltd|z\.B|d\.h|bzw|usw|ca|Nr|Abs|Art)|(?:^|[\s(])[A-Z])\.\Z"
)
_LINK = re.compile(r"!?\[([^\]\[]*)\]\((?:[^()\s]|\([^()]*\))*(?:\s+\"[^\"]*\")?\)")
_AUTOLINK = re.compile(r"<(https?://[^>\s]+)>")
_EMPHASIS = re.compile(r"(?<![\w*])(\*{1,3}|_{1,3})(?=\S)([^*_\n]+?)(?<=\S)\1(?!\w)")
_ESCAPE = re.compile(r"\\([!-/:-@\[-`{-~])")
_TAG = re.compile(r"</?[a-zA-Z][^<>]{0,80}>")
_ITEM_MARK = re.compile(r"\s*(?:>\s*)*(?:[-*+]|\d{1,9}[.)])\s+(?:\[[ xX]\]\s+)?")
_WORD = re.compile(r"[^\W\d_]{2,}")
_SCRIPT_WITHOUT_SPACES = re.compile("[\u0e00-\u0eff\u3040-\u30ff\u4e00-\u9fff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentence:
    """A sentence as it reads without Markdown, with its place ``[start, end)`` in the text it was taken from.

    ``code`` is the block that the sentence introduces ("… like this:"), with its fences.
    ``heading`` is the nearest one above it in the text.
    """

    text: str
    start: int
    end: int
    code: str = ""
    heading: str = ""
    begins_block: bool = False


def sentences(text: str) -> Sequence[Sentence]:
    """Every quotable sentence in order: of paragraphs and list items, not of headings, tables, code, navigation."""
    found: list[Sentence] = []
    listed = list(blocks(text))
    heading = ""
    for position, block in enumerate(listed):
        if block.kind is Kind.HEADING:
            heading = heading_title(text, block)
        elif block.kind in {Kind.TEXT, Kind.ITEM}:
            after = listed[position + 1] if position + 1 < len(listed) else None
            found += _of_block(text, block, heading, after)
    return found


def plain(markdown: str) -> str:
    """The text without Markdown's marks, in one line; code between backticks keeps them."""
    parts = re.split(r"(`[^`\n]+`)", markdown)
    cleaned = "".join(part if part.startswith("`") else _without_marks(part) for part in parts)
    return " ".join(cleaned.split())


def _without_marks(text: str) -> str:
    text = _AUTOLINK.sub(r"\1", _LINK.sub(r"\1", text))
    text = _EMPHASIS.sub(r"\2", _EMPHASIS.sub(r"\2", _TAG.sub("", text)))
    return _ESCAPE.sub(r"\1", text)


def _of_block(text: str, block: Block, heading: str, after: Block | None) -> Iterator[Sentence]:
    start = block.start
    if block.kind is Kind.ITEM and (mark := _ITEM_MARK.match(text, start, block.end)):
        start = mark.end()
    first = True
    for begin, end in _ranges(text, start, block.end):
        readable = plain(text[begin:end])
        code = _code_after(text, end, block, after) if readable.endswith(":") else ""
        if _is_quotable(readable) and (code or not readable.endswith(":")):
            yield Sentence(
                text=readable, start=begin, end=end, code=code, heading=heading, begins_block=first
            )
        first = False


def _ranges(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Where each sentence stands; a rest that does not end like one is left out."""
    begin = start
    for match in _END.finditer(text, start, end):
        if match[0][0] == "." and not _is_full_stop(text, begin, match, end):
            continue
        while begin < match.end() and text[begin].isspace():
            begin += 1
        if begin < match.end():
            yield begin, match.end()
        begin = match.end()


def _is_full_stop(text: str, begin: int, match: re.Match[str], end: int) -> bool:
    if _ABBREVIATION.search(text, max(begin, match.start() - 12), match.start() + 1):
        return match.end() >= end
    following = text[match.end() : end].lstrip()[:1]
    # A small letter goes on with the sentence, unless the text knows no capitals at all.
    return not following.islower() or text[begin : match.end()].islower()


def _code_after(text: str, end: int, block: Block, after: Block | None) -> str:
    if after is None or after.kind is not Kind.CODE or text[end : block.end].strip():
        return ""
    code = text[after.start : after.end]
    if len(code) > MAX_CODE_CHARACTERS:
        return ""
    return code if code.lstrip().startswith(("```", "~~~")) else f"```\n{code}\n```"


def _is_quotable(readable: str) -> bool:
    if not MIN_CHARACTERS <= len(readable) <= MAX_CHARACTERS:
        return bool(_SCRIPT_WITHOUT_SPACES.search(readable)) and 5 <= len(readable) <= MAX_CHARACTERS
    if readable.count("|") > 1 or readable.count("»") + readable.count("→") + readable.count("·") > 1:
        return False
    letters = sum(character.isalpha() or character.isspace() for character in readable)
    if letters < 0.7 * len(readable):
        return False
    return len(_WORD.findall(readable)) >= 4 or bool(_SCRIPT_WITHOUT_SPACES.search(readable))
