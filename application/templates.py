"""Templates: stored and shipped ones, rendered to texts and to pipeline configs."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from application.config_check import CheckedConfig
from application.configs import Configs
from application.ports.config_parser import ConfigParser
from application.ports.templates import Templates
from domain.findings import ValidationReport
from domain.json import Json, JsonObject
from domain.templates.parameters import Parameter, values_of
from domain.templates.rendering import rendered, require_whole_values
from domain.templates.template import (
    InvalidTemplate,
    Template,
    TemplateChanged,
    TemplateKind,
    TemplateNameTaken,
    TemplateNotFound,
    TemplateShipped,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """A template with values in its places; ``report`` says what is wrong with a pipeline's text, None of a prompt."""

    template: Template
    text: str
    report: ValidationReport | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateCatalogue:
    """What can be done with templates, each named by its id or its name. ``shipped`` ones are always there.

    Every method that takes a name raises TemplateNotFound.
    """

    templates: Templates
    parser: ConfigParser
    configs: Configs
    shipped: Sequence[Template] = ()

    async def list(
        self, *, kind: TemplateKind | None = None, limit: int, offset: int = 0
    ) -> tuple[Sequence[Template], int]:
        """A page: the shipped ones first, then the stored ones, by name; and how many there are in all."""
        shipped = sorted((one for one in self.shipped if kind in {None, one.kind}), key=lambda one: one.name)
        page = shipped[offset : offset + limit]
        stored, total = await self.templates.list(
            kind=kind, limit=limit - len(page), offset=max(0, offset - len(shipped))
        )
        return [*page, *stored], len(shipped) + total

    async def get(self, name: str) -> Template:
        """One template."""
        return await template_named(name, self.templates, self.shipped)

    async def create(
        self,
        *,
        name: str,
        kind: TemplateKind,
        text: str,
        description: str = "",
        parameters: Sequence[Parameter] = (),
    ) -> Template:
        """Store a new template; raises InvalidTemplate, TemplateNameTaken."""
        now = self.configs.clock.now()
        template = Template(
            id=self.configs.ids.new_id(),
            name=name,
            kind=kind,
            text=text,
            description=description,
            parameters=tuple(parameters),
            created_at=now,
            updated_at=now,
        )
        if any(one.name == name for one in self.shipped):
            raise TemplateNameTaken
        await self._require_valid(template)
        await self.templates.add(template)
        return template

    async def update(
        self,
        name: str,
        *,
        text: str | None = None,
        description: str | None = None,
        parameters: Sequence[Parameter] | None = None,
        expected_version: int | None = None,
    ) -> Template:
        """Store the next version with what is given changed; without a change the latest stays.

        Raises TemplateShipped, InvalidTemplate, TemplateChanged when the latest version is not the expected one or
        changes meanwhile.
        """
        latest = await self._own(name)
        if expected_version not in {None, latest.version}:
            raise TemplateChanged
        template = latest.edited(
            at=self.configs.clock.now(), text=text, description=description, parameters=parameters
        )
        if template.says_the_same_as(latest):
            return latest
        await self._require_valid(template)
        await self.templates.replace(template, expected_version=latest.version)
        return template

    async def delete(self, name: str, *, expected_version: int | None = None) -> None:
        """Forget a template; configs made of it stay. Raises TemplateShipped, TemplateChanged."""
        await self.templates.remove((await self._own(name)).id, expected_version=expected_version)

    async def render(self, name: str, values: JsonObject) -> Rendered:
        """Its text with the values in their places; raises InvalidValues."""
        template = await self.get(name)
        text = rendered(template, values_of(template.parameters, values))
        if template.kind is TemplateKind.PROMPT:
            return Rendered(template=template, text=text)
        return Rendered(template=template, text=text, report=await self.configs.validate(text))

    async def create_config(
        self, name: str, values: JsonObject, *, config_name: str, description: str | None = None
    ) -> CheckedConfig:
        """Store what a pipeline's template renders to as a config; raises InvalidValues, InvalidTemplate for a prompt."""
        made = await self.render(name, values)
        if made.report is None:
            raise InvalidTemplate("a prompt is no pipeline: no config can be made of it")
        return await self.configs.create(
            name=config_name,
            yaml=made.text,
            description=description or made.template.description or None,
        )

    async def _own(self, name: str) -> Template:
        template = await self.get(name)
        if template.is_shipped:
            raise TemplateShipped
        return template

    async def _require_valid(self, template: Template) -> None:
        if template.kind is TemplateKind.PIPELINE:
            await asyncio.to_thread(require_whole_values, template, self._value)

    def _value(self, text: str) -> Json:
        return self.parser.parse(text).value


async def template_named(name: str, templates: Templates, shipped: Sequence[Template]) -> Template:
    """A shipped template, or else a stored one, by its name or id; raises TemplateNotFound."""
    for one in shipped:
        if name in {one.name, str(one.id)}:
            return one
    return await templates.get(_id_or_name(name))


def _id_or_name(name: str) -> UUID | str:
    try:
        return UUID(name)
    except ValueError:
        if len(name) > 100:
            raise TemplateNotFound from None
        return name
