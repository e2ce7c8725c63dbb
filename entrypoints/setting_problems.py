"""What is said of settings that cannot be used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from domain.errors import Invalid


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingProblem:
    """One setting that cannot be used; ``source`` is the flag or variable that gave the value."""

    name: str
    value: str
    allowed: str
    source: str

    def __str__(self) -> str:
        return f"{self.source} is {self.value}, and must be {self.allowed}"


class InvalidSettings(Invalid):
    """A setting has a value that is not allowed. A note tells of each when there are several."""

    code = "invalid_settings"

    def __init__(self, problems: Sequence[SettingProblem]) -> None:
        told = [str(problem) for problem in problems]
        super().__init__(told[0] if len(told) == 1 else f"{len(told)} settings cannot be used")
        self.problems = tuple(problems)
        for line in told[1:] and told:
            self.add_note(line)
