"""The pipeline adapter ``boilerplate_remover``: drops the lines that every page of a site has."""

from __future__ import annotations

from dataclasses import dataclass

from factflow_server.plugin import AdapterResult, Invalid, PipelineContext, Registration


@dataclass(frozen=True, kw_only=True)
class BoilerplateRemoverConfig:
    """``lines`` to drop; a text of which fewer than ``least_lines`` are left goes no further."""

    lines: tuple[str, ...]
    least_lines: int = 1

    def __post_init__(self) -> None:
        if self.least_lines < 0:
            raise ValueError("least_lines is below 0")


class BoilerplateRemover:
    """Changes the field ``text`` and leaves the rest of the message as it is."""

    def __init__(self, config: BoilerplateRemoverConfig) -> None:
        self._lines = frozenset(line.strip() for line in config.lines)
        self._least_lines = config.least_lines

    async def process(self, context: PipelineContext) -> AdapterResult | None:
        text = context.message.get("text")
        if not isinstance(text, str):
            raise Invalid("the message has no text")
        kept = [line for line in text.splitlines() if line.strip() not in self._lines]
        if len(kept) < self._least_lines:
            return None
        return AdapterResult(message={**context.message, "text": "\n".join(kept)})


registration = Registration(
    type="boilerplate_remover",
    description="Drops the lines that every page of a site has.",
    config=BoilerplateRemoverConfig,
    build=BoilerplateRemover,
)
