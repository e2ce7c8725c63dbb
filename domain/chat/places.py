"""Where a reader of a streamed answer stands, so that it can be taken up again from there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from domain.chat.answer import AnswerDone, ChatAnswer, ChatEvent, SourceCited, SourcesFound, TextWritten


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """How many characters and citations of an answer have been told, and whether its end has."""

    characters: int = 0
    citations: int = 0
    is_end: bool = False


class Telling:
    """Tells one reader the events of an answer in order, from the place on that it has reached.

    A piece of text that it has in part is told without that part. The sources come first, so whoever has a place has
    them.
    """

    def __init__(self, after: Place | None = None) -> None:
        self._after = after
        self._place = Place()

    def tell(self, event: ChatEvent) -> tuple[Place, ChatEvent] | None:
        """The event with the place after it; None when the reader has it."""
        before, self._place = self._place, _next(self._place, event)
        if self._after is None:
            return self._place, event
        if self._place <= self._after:
            return None
        return self._place, _rest(event, self._after.characters - before.characters)


def placed(events: Iterable[ChatEvent], after: Place | None = None) -> Iterator[tuple[Place, ChatEvent]]:
    """What is to be told of an answer's events."""
    telling = Telling(after)
    return (told for event in events if (told := telling.tell(event)) is not None)


def _next(place: Place, event: ChatEvent) -> Place:
    match event:
        case TextWritten():
            return Place(place.characters + len(event.content), place.citations)
        case SourceCited():
            return Place(place.characters, place.citations + 1)
        case AnswerDone():
            return replace(place, is_end=True)
        case _:
            return place


def _rest(event: ChatEvent, told: int) -> ChatEvent:
    return TextWritten(content=event.content[told:]) if isinstance(event, TextWritten) and told > 0 else event


def retold(answer: ChatAnswer, *, is_complete: bool = True) -> Iterator[ChatEvent]:
    """The events of an answer that is there already: its sources, then each citation after the text it closes."""
    yield SourcesFound(sources=answer.sources, mode=answer.mode)
    written = 0
    for citation in answer.citations:
        if written < citation.answer_end:
            yield TextWritten(content=answer.text[written : citation.answer_end])
            written = citation.answer_end
        yield SourceCited(citation=citation)
    if written < len(answer.text):
        yield TextWritten(content=answer.text[written:])
    if is_complete:
        yield AnswerDone(answer=answer)
