"""What the tests ask the HTTP API, read from their source: every call that names a method and a path."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

TESTS = Path(__file__).parent
METHODS = {"GET", "POST", "PUT", "PATCH", "DELETE"}
UNKNOWN = "\0"
"""Stands in a path for what only a running test knows."""


@cache
def asked() -> frozenset[tuple[str, str]]:
    """The method and the path of every call; constants in a path are filled in, as are variables made of them."""
    return frozenset(
        one for path in TESTS.rglob("*.py") for one in _asked_in(ast.parse(path.read_text("utf-8")))
    )


@cache
def names_of_tests() -> frozenset[str]:
    """The name of every test."""
    trees = (ast.walk(ast.parse(path.read_text("utf-8"))) for path in TESTS.rglob("test_*.py"))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(node.name for tree in trees for node in tree if isinstance(node, kinds))


def is_asked(method: str, template: str) -> bool:
    """Whether some test asks an operation: every fixed part of its path is there, and one part for each parameter."""
    parts = ["[^/]+" if part.startswith("{") else re.escape(part) for part in template.split("/")]
    whole = re.compile(f"{UNKNOWN}?{'/'.join(parts)}")
    return any(by == method and whole.fullmatch(path) for by, path in asked())


def _asked_in(tree: ast.Module) -> Iterator[tuple[str, str]]:
    known: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            known |= _named(node, known)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            arguments = [*node.args, *(keyword.value for keyword in node.keywords)]
            texts = [text for one in arguments if (text := _text(one, known)) is not None]
            called = node.func.attr.upper() if isinstance(node.func, ast.Attribute) else ""
            for method in METHODS & {called, *texts}:
                yield from ((method, text.partition("?")[0]) for text in texts if "/" in text)


def _named(node: ast.Assign, known: Mapping[str, str]) -> dict[str, str]:
    (target, *others), value = node.targets, node.value
    if others:
        return {}
    pairs = [(target, value)]
    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        pairs = list(zip(target.elts, value.elts, strict=False))
    texts = ((name.id, _text(of, known)) for name, of in pairs if isinstance(name, ast.Name))
    return {name: text for name, text in texts if text is not None and "/" in text}


def _text(node: ast.expr, known: Mapping[str, str]) -> str | None:
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.Name(id=name):
            return known.get(name)
        case ast.JoinedStr(values=parts):
            return "".join(_text(part, known) or UNKNOWN for part in parts)
        case ast.FormattedValue(value=value):
            return _text(value, known)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return (_text(left, known) or UNKNOWN) + (_text(right, known) or UNKNOWN)
    return None
