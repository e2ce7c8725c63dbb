"""Errors that cross a port are ours: sentence 7."""

import ast
import builtins
import importlib
import inspect
from types import ModuleType

import aio_pika.exceptions
import botocore.exceptions
import psycopg.errors

from adapters.http.problems import status_of
from entrypoints.cli.exit_codes import KINDS, exit_code_of, kind_of
from tests.architecture.tree import LAYERS, is_in, modules
from tests.reference.errors import descendants

DRIVERS: dict[str, tuple[str, ...]] = {
    "adapters.postgres": ("psycopg", "psycopg_pool"),
    "adapters.rabbitmq": ("aio_pika", "aiormq"),
    "adapters.s3": ("boto3", "botocore"),
}


def exception_names(module: ModuleType) -> set[str]:
    return {
        name
        for name, value in inspect.getmembers(module, inspect.isclass)
        if issubclass(value, Exception) and not hasattr(builtins, name)
    }


def test_the_inner_layers_name_no_drivers_exception() -> None:
    foreign = set[str]().union(
        *(exception_names(module) for module in (psycopg.errors, aio_pika.exceptions, botocore.exceptions))
    )
    ours = {node.name for module in modules("domain", "application") for node in module.classes()}
    named = [
        f"{module}:{node.lineno} {node.id}"
        for module in modules("domain", "application")
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Name) and node.id in foreign - ours
    ]
    assert named == []


def test_each_driver_is_translated_in_one_place() -> None:
    """One function `translating` per technology turns what the driver raises into our errors."""
    counts = {
        place: sum(
            function.name == "translating"
            for module in modules("adapters")
            if is_in(module.name, place)
            for function in module.functions()
        )
        for place, drivers in DRIVERS.items()
        if any(
            is_in(name, driver)
            for module in modules("adapters")
            if is_in(module.name, place)
            for name in module.imports
            for driver in drivers
        )
    }
    assert {place: count for place, count in counts.items() if count != 1} == {}


def test_an_error_says_what_it_is_and_has_a_code_of_its_own() -> None:
    codes: dict[str, str] = {}
    wrong: list[str] = []
    for module in modules("domain", "application", "adapters"):
        for node in module.classes():
            code = stated_code(node)
            if code is None:
                continue
            if not ast.get_docstring(node):
                wrong.append(f"{module}: {node.name} has no docstring, and that is its message")
            if code in codes:
                wrong.append(f"{module}: {node.name} has the code of {codes[code]}: {code}")
            codes[code] = node.name
    assert wrong == []


def stated_code(node: ast.ClassDef) -> str | None:
    """The code that an error class states in its body, if it is one."""
    if not node.bases and node.name != "FactflowError":
        return None
    for item in node.body:
        target = item.targets[0] if isinstance(item, ast.Assign) else None
        if isinstance(target, ast.Name) and target.id == "code":
            value = item.value if isinstance(item, ast.Assign) else None
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                return value.value
    return None


def test_an_error_keeps_its_exit_code_on_the_way_through_http() -> None:
    """Whatever its status; only who sends too slowly is told to try again."""
    for module in modules(*LAYERS):
        importlib.import_module(module.name)
    changed = {
        error.code
        for kind, code in KINDS.items()
        for error in descendants(kind)
        if exit_code_of(kind_of(status_of(error), error.code)()) != code
    }
    assert changed == {"request_too_slow"}
