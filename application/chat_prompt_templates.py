"""Which stored template, if any, a prompt is written from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from application.ports.templates import Templates
from application.templates import template_named
from domain.chat.prompt_template import require_fit
from domain.templates.template import Template, TemplateNotFound


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptTemplates:
    """Templates by name or id; ``default`` names the one for requests that name none, None for none."""

    templates: Templates
    shipped: Sequence[Template] = ()
    default: str | None = None

    async def named(self, name: str | None) -> Template | None:
        """The template as it stands now, fit to be a prompt; raises TemplateNotFound, PromptTemplateUnfit."""
        wanted = name or self.default
        if wanted is None:
            return None
        try:
            template = await template_named(wanted, self.templates, self.shipped)
        except TemplateNotFound as error:
            raise TemplateNotFound(f"there is no prompt template {wanted[:100]!r}") from error
        require_fit(template)
        return template
