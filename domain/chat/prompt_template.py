"""A stored template as the words a language model is given: its places for the question and its sources."""

from __future__ import annotations

from collections.abc import Sequence

from domain.chat.answer import Source
from domain.chat.prompt import listed
from domain.errors import Invalid
from domain.templates.parameters import Parameter, ParameterType
from domain.templates.rendering import rendered
from domain.templates.template import PLACE, Template, TemplateKind

FILLED = {
    "question": frozenset({ParameterType.STRING}),
    "sources": frozenset({ParameterType.STRING, ParameterType.LIST}),
}
"""The parameters that chat fills, and of which types they may be."""


class PromptTemplateUnfit(Invalid):
    """Chat cannot write a prompt from the template."""

    code = "prompt_template_unfit"


def require_fit(template: Template) -> None:
    """Raise PromptTemplateUnfit with everything that is wrong with a template as chat's prompt."""
    if template.kind is not TemplateKind.PROMPT:
        raise PromptTemplateUnfit(
            f"the template {template.name!r} is a {template.kind}, and chat needs a prompt"
        )
    known = {parameter.name: parameter for parameter in template.parameters}
    wrong = [f"it has no place for {name}" for name in FILLED if name not in known]
    wrong += [objection for one in known.values() if (objection := _objection(one))]
    if PLACE.findall(template.text).count("sources") > 1:
        wrong.append("it has more than one place for sources, which would take the room of twice as many")
    if wrong:
        raise PromptTemplateUnfit(
            f"the template {template.name!r} cannot be chat's prompt: {'; '.join(wrong)}"
        )


def prompt_from(template: Template, query: str, sources: Sequence[Source]) -> str:
    """The template with the question and the quoted sources in their places, and the defaults in all others."""
    defaults = {parameter.name: parameter.default for parameter in template.parameters}
    return rendered(template, {**defaults, "question": query, "sources": listed(sources)})


def _objection(parameter: Parameter) -> str | None:
    types = FILLED.get(parameter.name)
    if types is None and parameter.is_required:
        return f"{parameter.name} is required, and chat fills only {' and '.join(FILLED)}"
    if types is not None and (parameter.type not in types or parameter.choices):
        return f"{parameter.name} must be a {' or '.join(sorted(types))} without choices"
    return None
