"""What every ``Templates`` does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from adapters.memory.templates import MemoryTemplates
from adapters.postgres.templates import PostgresTemplates
from application.ports.templates import Templates
from domain.templates.parameters import Parameter, ParameterType
from domain.templates.template import (
    Template,
    TemplateChanged,
    TemplateKind,
    TemplateNameTaken,
    TemplateNotFound,
)
from tests.databases import SERVERS, fresh_database

NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture(params=["memory", *SERVERS])
async def templates(request: pytest.FixtureRequest) -> AsyncIterator[Templates]:
    """Each implementation there is."""
    if request.param == "memory":
        yield MemoryTemplates()
        return
    async with fresh_database(request.getfixturevalue("postgres_url")) as database:
        yield PostgresTemplates(database)


def new(name: str, **fields: Any) -> Template:
    """A prompt without parameters unless told."""
    given: dict[str, Any] = {
        "id": uuid4(),
        "kind": TemplateKind.PROMPT,
        "text": "text",
        "created_at": NOW,
        "updated_at": NOW,
    } | fields
    return Template(name=name, **given)


async def test_a_template_is_kept_as_it_was_given(templates: Templates) -> None:
    """With defaults and choices of every type, by its id and by its name."""
    parameters = (
        Parameter(name="a", is_required=True, description="ä"),
        Parameter(name="b", type=ParameterType.INTEGER, default=5, choices=(5, 6)),
        Parameter(name="c", type=ParameterType.LIST, default=["x", "y"]),
        Parameter(name="d", type=ParameterType.NUMBER, default=0.5),
        Parameter(name="e", type=ParameterType.BOOLEAN, default=False),
    )
    text = "a: {{ a }}\nb: [{{ b }}, {{ c }}, {{ d }}, {{ e }}]\n"
    template = new("mine", kind=TemplateKind.PIPELINE, text=text, parameters=parameters, description="why")
    await templates.add(template)
    assert await templates.get(template.id) == template
    assert await templates.get("mine") == template
    for unknown in (uuid4(), "other"):
        with pytest.raises(TemplateNotFound):
            await templates.get(unknown)


async def test_a_name_is_taken_once(templates: Templates) -> None:
    """Also by two at once; when its template is gone it is free."""
    async with asyncio.timeout(20):
        results = await asyncio.gather(
            *(templates.add(new("same")) for _ in range(5)), return_exceptions=True
        )
    assert sorted(type(one).__name__ for one in results) == ["NoneType"] + ["TemplateNameTaken"] * 4
    await templates.remove((await templates.get("same")).id)
    await templates.add(new("same"))
    with pytest.raises(TemplateNameTaken):
        await templates.add(new("same"))


async def test_templates_are_listed_by_name(templates: Templates) -> None:
    """A page at a time, of one kind or all."""
    for name in ("b", "c-d", "a", "c"):
        await templates.add(new(name))
    await templates.add(new("z", kind=TemplateKind.PIPELINE, text="a: 1"))
    page, total = await templates.list(limit=3, offset=1)
    assert ([one.name for one in page], total) == (["b", "c", "c-d"], 5)
    page, total = await templates.list(kind=TemplateKind.PIPELINE, limit=3)
    assert ([one.name for one in page], total) == (["z"], 1)
    page, total = await templates.list(limit=0, offset=9)
    assert (list(page), total) == ([], 5)


async def test_only_the_version_that_is_meant_is_replaced_or_removed(templates: Templates) -> None:
    """So of two who change it one is told."""
    first = new("mine")
    await templates.add(first)
    second = first.edited(at=NOW + timedelta(seconds=1), text="other", description="new")
    await templates.replace(second, expected_version=1)
    assert await templates.get("mine") == second
    with pytest.raises(TemplateChanged):
        await templates.replace(replace(second, text="third"), expected_version=1)
    with pytest.raises(TemplateChanged):
        await templates.remove(first.id, expected_version=1)
    await templates.remove(first.id, expected_version=2)
    for act in (
        lambda: templates.replace(second, expected_version=2),
        lambda: templates.remove(first.id),
        lambda: templates.remove(first.id, expected_version=2),
    ):
        with pytest.raises(TemplateNotFound):
            await act()
