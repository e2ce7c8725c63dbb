"""The whole sentences of a Markdown text that can be quoted by themselves."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import NamedTuple

from domain.chat.markers import numbers_in, open_fence
from domain.segmentation.blocks import Block, Kind, blocks
from domain.segmentation.sections import sections

MIN_CHARACTERS = 20
MAX_CHARACTERS = 500
MAX_CODE_CHARACTERS = 800
MAX_TERM_CHARACTERS = 80

_END = re.compile(r"[.!?…][\"')\]”’»*_]*(?=\s|\Z)|[。！？][」』”]?|:(?=\s*\Z)")  # noqa: RUF001 - other scripts' stops
_ABBREVIATION = re.compile(
    r"(?:\b(?:e\.g|i\.e|etc|vs|cf|al|approx|resp|incl|Fig|Figs|Eq|Sect|Sec|Ch|No|Nos|Vol|pp?|Dr|Mr|Mrs|Ms|Prof|St|Jr"
    r"|Inc|Ltd|z\.B|d\.h|bzw|usw|ca|Nr|Abs|Art)|(?:^|[\s(])[A-Z])\.\Z"
)
_LINK = re.compile(r"!?\[([^\]\[]*)\]\((?:[^()\s]|\([^()]*\))*(?:\s+\"[^\"]*\")?\)")
_AUTOLINK = re.compile(r"<(https?://[^<>\s]+)>")
_EMPHASIS = re.compile(r"(?<![\w*])(\*{1,3}|_{1,3})(?=\S)([^*_\n]+?)(?<=\S)\1(?!\w)")
_ESCAPE = re.compile(r"\\([!-/:-@\[-`{-~])")
_TAG = re.compile(r"</?[a-zA-Z][^<>]{0,80}>")
_ITEM_MARK = re.compile(r"\s*(?:>\s*)*(?:[-*+]|\d{1,9}[.)])\s+(?:\[[ xX]\]\s+)?")
_LONGER_WORD = re.compile(r"(?:[^\W\d_]{3}|\d{2}|\s|[)\]\"”`])\Z")
_LONGER_WORD_CHARACTERS = 3
"""At the end of so many characters it is found, or nowhere before them."""
_FOLLOWING = re.compile(r"\s*(\S?)")
_WORD = re.compile(r"[^\W\d_]{2,}")
_SCRIPT_WITHOUT_SPACES = re.compile("[\u0e00-\u0eff\u3040-\u30ff\u4e00-\u9fff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentence:
    """A sentence as it reads without Markdown, with its place ``[start, end)`` in the text it was taken from.

    ``code`` is the block that the sentence introduces ("… like this:"), with its fences.
    ``heading_path`` holds the headings of the text that it stands under, outermost first; ``term`` is what it is said
    of in a list of terms.
    """

    text: str
    start: int
    end: int
    code: str = ""
    heading_path: tuple[str, ...] = ()
    term: str = ""

    @property
    def heading(self) -> str:
        """The nearest heading above it in the text."""
        return self.heading_path[-1] if self.heading_path else ""


def sentences(text: str) -> Sequence[Sentence]:
    """Every quotable sentence in order: of paragraphs and list items, not of headings, tables, code, navigation."""
    found: list[Sentence] = []
    for section in sections(text, blocks(text)):
        term = ""
        for block, after in zip_longest(section.body, section.body[1:]):
            if block.kind in {Kind.TEXT, Kind.ITEM}:
                label = _label(text, block)
                term = label or ("" if _is_at_margin(text, block) else term)
                if not label:
                    found += _of_block(text, block, _Place(section.path, term), after)
    return found


class _Place(NamedTuple):
    heading_path: tuple[str, ...]
    term: str


def _label(text: str, block: Block) -> str:
    """The term of a list item that is nothing but a term: what is indented below it speaks of it."""
    body = plain(text[_body_start(text, block) : block.end])
    is_term = (
        block.kind is Kind.ITEM
        and len(body) <= MAX_TERM_CHARACTERS
        and not (_END.search(body) or open_fence(body))
    )
    return body if is_term else ""


def _is_at_margin(text: str, block: Block) -> bool:
    return not text[text.rfind("\n", 0, block.start) + 1 : block.start + 1][:1].isspace()


def _body_start(text: str, block: Block) -> int:
    mark = _ITEM_MARK.match(text, block.start, block.end) if block.kind is Kind.ITEM else None
    return mark.end() if mark else block.start


def plain(markdown: str) -> str:
    """The text without Markdown's marks, in one line; code between backticks keeps them."""
    parts = re.split(r"(`[^`\n]+`)", markdown)
    cleaned = "".join(part if part.startswith("`") else _without_marks(part) for part in parts)
    return " ".join(cleaned.split())


def _without_marks(text: str) -> str:
    text = _AUTOLINK.sub(r"\1", _LINK.sub(r"\1", text))
    text = _EMPHASIS.sub(r"\2", _EMPHASIS.sub(r"\2", _TAG.sub("", text)))
    return _ESCAPE.sub(r"\1", text)


def _of_block(text: str, block: Block, place: _Place, after: Block | None) -> Iterator[Sentence]:
    for start, end in _ranges(text, _body_start(text, block), block.end):
        readable = _unwrapped(plain(text[start:end]))
        introduces = readable.endswith(":")
        code = _code_after(text, end, block, after) if introduces else ""
        if bool(code) == introduces and _is_quotable(readable, introduces=introduces):
            yield Sentence(text=readable, start=start, end=end, code=code, **place._asdict())


def _unwrapped(readable: str) -> str:
    """The sentence without brackets around the whole of it, or a lone one whose other half is elsewhere."""
    if readable.startswith("(") and readable.endswith(")") and readable.count("(") == 1:
        return readable[1:-1]
    if readable.startswith("(") and readable.count("(") > readable.count(")"):
        return readable[1:]
    if readable.endswith(")") and readable.count(")") > readable.count("("):
        return readable[:-1]
    return readable


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
    # Looked at from the stop, never as a copy of the rest or from the beginning again: a block may be all stops.
    following = _FOLLOWING.match(text, match.end(), end)
    # Before a small letter ("… is needed. jsonb also …") only a longer word ends a sentence.
    if following is None or not following[1].islower():
        return True
    return bool(_LONGER_WORD.search(text, max(begin, match.start() - _LONGER_WORD_CHARACTERS), match.start()))


def _code_after(text: str, end: int, block: Block, after: Block | None) -> str:
    if after is None or after.kind is not Kind.CODE or text[end : block.end].strip():
        return ""
    code = text[after.start : after.end]
    if len(code) > MAX_CODE_CHARACTERS:
        return ""
    fenced = code if code.lstrip().startswith(("```", "~~~")) else f"```\n{code}\n```"
    return "" if numbers_in(fenced) or open_fence(fenced) else fenced


def _is_quotable(readable: str, *, introduces: bool) -> bool:
    unspaced = bool(_SCRIPT_WITHOUT_SPACES.search(readable))
    least = MIN_CHARACTERS if not (unspaced or introduces) else MIN_CHARACTERS // 3
    if not least <= len(readable) <= MAX_CHARACTERS:
        return False
    if open_fence(readable):
        return False
    if readable.count("|") > 1 or sum(map(readable.count, "»→·")) > 1:
        return False
    letters = sum(character.isalpha() or character.isspace() for character in readable)
    enough_words = len(_WORD.findall(readable)) >= (3 if introduces else 4)
    return letters >= 0.7 * len(readable) and (enough_words or unspaced)
