"""The sections of a text: each heading with the blocks beneath it, up to the next heading of any level."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from domain.segmentation.blocks import Block, Kind, heading_title


@dataclass(slots=True, kw_only=True)
class Section:
    """A heading and the blocks that follow it. The first section of a text has level 0 and no heading.

    ``path`` holds the headings it stands under and its own, outermost first.
    """

    level: int = 0
    path: tuple[str, ...] = ()
    heading: Block | None = None
    body: list[Block] = field(default_factory=list)

    @property
    def blocks(self) -> Sequence[Block]:
        """The heading, if there is one, and the body."""
        return self.body if self.heading is None else [self.heading, *self.body]


def sections(text: str, blocks: Iterable[Block]) -> list[Section]:
    """The sections in the order of the text."""
    found = [Section()]
    above: list[tuple[int, str]] = []
    for block in blocks:
        if block.kind is not Kind.HEADING:
            found[-1].body.append(block)
            continue
        while above and above[-1][0] >= block.level:
            above.pop()
        above.append((block.level, heading_title(text, block)))
        path = tuple(title for _, title in above if title)
        found.append(Section(level=block.level, path=path, heading=block))
    return found


def end_of(found: Sequence[Section], index: int, until: int) -> int:
    """The index after the last section beneath ``found[index]``, not beyond ``until``."""
    level = found[index].level
    end = index + 1
    while end < until and found[end].level > level:
        end += 1
    return end


def common_path(found: Sequence[Section]) -> tuple[str, ...]:
    """The headings under which all of the sections stand that have text of their own."""
    paths = [section.path for section in found if section.body] or [()]
    first, last = min(paths), max(paths)
    shared = 0
    while shared < min(len(first), len(last)) and first[shared] == last[shared]:
        shared += 1
    return first[:shared]
