"""Whatever can be called, set or returned is in docs/reference/: sentence 9."""

import importlib
import re
from collections.abc import Iterator
from dataclasses import fields

import click
import pytest

from adapters.http.problems import status_of
from domain.errors import FactflowError
from entrypoints.settings import Settings, variable
from tests.architecture.tree import modules
from tests.reference.http_api import description
from tests.reference.pages import FOLDER


def reference() -> str:
    return "\n".join(page.read_text(encoding="utf-8") for page in sorted(FOLDER.glob("*.md")))


def commands(group: click.Group, above: str = "") -> Iterator[tuple[str, click.Command]]:
    """Every command below a group, by the words that call it."""
    for name, command in group.commands.items():
        words = f"{above} {name}".strip()
        if isinstance(command, click.Group):
            yield from commands(command, words)
        elif not command.hidden:
            yield words, command


def groups() -> Iterator[click.Group]:
    """The groups that no other group contains."""
    found = [
        value
        for module in modules("entrypoints")
        if module.name.startswith("entrypoints.cli")
        for value in vars(importlib.import_module(module.name)).values()
        if isinstance(value, click.Group)
    ]
    inner = [id(command) for group in found for command in group.commands.values()]
    return (group for group in {id(group): group for group in found}.values() if id(group) not in inner)


def test_every_http_operation_has_an_id_a_summary_and_a_line_in_the_reference() -> None:
    page = reference()
    operations = [operation for methods in description()["paths"].values() for operation in methods.values()]
    assert [each for each in operations if not (each.get("operationId") and each.get("summary"))] == []
    names = [operation["operationId"] for operation in operations]
    assert [name for name in names if f"`{name}`" not in page] == []
    assert sorted({name for name in names if names.count(name) > 1}) == []


def errors(kind: type[FactflowError] = FactflowError) -> Iterator[type[FactflowError]]:
    """Every kind of error that there is."""
    yield kind
    for each in kind.__subclasses__():
        yield from errors(each)


def test_the_table_of_statuses_tells_what_each_error_is_answered_with() -> None:
    """By its code, or by the nearest of its kinds that the table names."""
    description()  # imports whatever can be answered
    page = (FOLDER / "http-api.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([^|]+) \| (\d{3})[^|]*\|$", page, re.MULTILINE)
    told = {name: int(status) for names, status in rows for name in re.findall(r"`(\w+)`", names)}
    wrong = {
        error.__name__: (status_of(error), found)
        for error in errors()
        if status_of(error) != (found := _told(told, error))
    }
    assert wrong == {}


def _told(told: dict[str, int], error: type[FactflowError]) -> int | None:
    names = (name for kind in error.__mro__ for name in (getattr(kind, "code", ""), kind.__name__))
    return next((told[name] for name in names if name in told), None)


def test_every_command_is_in_the_reference() -> None:
    page = reference()
    missing = [
        words
        for group in groups()
        for words, _ in commands(group)
        if not re.search(rf"(?<![\w-]){re.escape(words)}(?![\w-])", page)
    ]
    assert missing == []


@pytest.mark.parametrize("name", [item.name for item in fields(Settings)])
def test_every_setting_is_in_the_reference(name: str) -> None:
    assert f"`{variable(name)}`" in reference()
