"""Templates that people have stored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from domain.templates.template import Template, TemplateKind


class Templates(Protocol):
    """Stored templates, of which the latest version is kept."""

    async def add(self, template: Template) -> None:
        """Store a new template; raises TemplateNameTaken."""
        ...

    async def get(self, id_or_name: UUID | str) -> Template:
        """One template; raises TemplateNotFound."""
        ...

    async def list(
        self, *, kind: TemplateKind | None = None, limit: int, offset: int = 0
    ) -> tuple[Sequence[Template], int]:
        """A page of the templates, by name, and how many there are in all."""
        ...

    async def replace(self, template: Template, *, expected_version: int) -> None:
        """Store the next version if the latest is still the expected one; raises TemplateChanged, TemplateNotFound."""
        ...

    async def remove(self, template_id: UUID, *, expected_version: int | None = None) -> None:
        """Forget a template, of the expected version if one is given; raises TemplateChanged, TemplateNotFound."""
        ...
