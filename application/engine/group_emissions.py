"""What a group of messages emits, which is committed at once and so must not be without bound."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from application.engine.emissions import encoded_within_limit
from application.engine.nonsense import require_emission
from application.ports.pipeline_adapter import Emission
from domain.errors import Invalid

MOST_MESSAGES = 10_000
MOST_CHARACTERS = 64 << 20


class TooManyEmissions(Invalid):
    """A group of messages emits more than 10,000 messages, or more than 64 Mi characters of payload."""

    code = "too_many_emissions"


@dataclass(slots=True)
class GroupEmissions:
    """The emissions of one group so far, numbered by position."""

    _numbered: list[tuple[int, Emission]] = field(default_factory=list)
    _characters: int = 0

    @property
    def numbered(self) -> Sequence[tuple[int, Emission]]:
        """All of them."""
        return self._numbered

    def append(self, emission: Emission) -> None:
        """Take one in; raises TooManyEmissions, and for what cannot be a message MessageTooLarge, PayloadRejected."""
        require_emission(emission)
        self._characters += encoded_within_limit(emission.payload, emission.metadata).size
        if len(self._numbered) == MOST_MESSAGES or self._characters > MOST_CHARACTERS:
            raise TooManyEmissions
        self._numbered.append((len(self._numbered), emission))


def numbered_of_group(emissions: Iterable[Emission]) -> Sequence[tuple[int, Emission]]:
    """Emissions that are there at once, numbered by position; raises what ``GroupEmissions.append`` does."""
    gathered = GroupEmissions()
    for emission in emissions:
        gathered.append(emission)
    return gathered.numbered
