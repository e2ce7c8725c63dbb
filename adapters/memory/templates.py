"""Templates in memory."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from domain.templates.template import (
    Template,
    TemplateChanged,
    TemplateKind,
    TemplateNameTaken,
    TemplateNotFound,
)


class MemoryTemplates:
    """The ``Templates`` port over a dictionary."""

    def __init__(self) -> None:
        self._templates: dict[UUID, Template] = {}

    async def add(self, template: Template) -> None:
        """See the port."""
        if any(known.name == template.name for known in self._templates.values()):
            raise TemplateNameTaken
        self._templates[template.id] = template

    async def get(self, id_or_name: UUID | str) -> Template:
        """See the port."""
        for known in self._templates.values():
            if id_or_name in {known.id, known.name}:
                return known
        raise TemplateNotFound

    async def list(
        self, *, kind: TemplateKind | None = None, limit: int, offset: int = 0
    ) -> tuple[Sequence[Template], int]:
        """See the port."""
        found = sorted(
            (one for one in self._templates.values() if kind in {None, one.kind}), key=lambda one: one.name
        )
        return found[offset : offset + limit], len(found)

    async def replace(self, template: Template, *, expected_version: int) -> None:
        """See the port."""
        if (await self.get(template.id)).version != expected_version:
            raise TemplateChanged
        self._templates[template.id] = template

    async def remove(self, template_id: UUID, *, expected_version: int | None = None) -> None:
        """See the port."""
        if expected_version not in {None, (await self.get(template_id)).version}:
            raise TemplateChanged
        del self._templates[template_id]
