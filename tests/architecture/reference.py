"""Writes the pages of docs/reference/ that are made from the code: `python -m tests.architecture.reference`."""

import ast
import importlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from domain.errors import Conflict, FactflowError, Invalid, NotFound, Refused, Unavailable
from tests.architecture.tree import LAYERS, PACKAGES, ROOT, Module, modules

FOLDER = ROOT / "docs" / "reference"
NOTE = "<!-- Generated from the code by `python -m tests.architecture.reference`; do not edit. -->\n"

KINDS: dict[type[FactflowError], str] = {
    Invalid: "The request cannot be right, whatever the state; change it.",
    NotFound: "What it names is not there.",
    Conflict: "It does not fit the present state; look again, then decide.",
    Refused: "It is well-formed but not allowed.",
    Unavailable: "Something that is needed did not answer; trying again is right.",
}


def errors() -> str:
    """Every error code with its default message, by kind."""
    for module in modules(*LAYERS):
        importlib.import_module(module.name)
    lines = [
        "# Error codes",
        "",
        NOTE,
        "A problem document carries the code as `error_code`; it is stable, while messages may become clearer.",
        "Within a kind the codes are in alphabetical order, and the code of the kind itself comes first.",
    ]
    for kind, meaning in KINDS.items():
        lines += ["", f"## {kind.__name__}", "", meaning, "", "| code | meaning |", "| --- | --- |"]
        lines += [f"| `{kind.code}` | {message(kind)} |"]
        lines += sorted(
            f"| `{error.code}` | {message(error)} |" for error in descendants(kind) if "code" in vars(error)
        )
    return "\n".join(lines) + "\n"


def descendants(kind: type[FactflowError]) -> Iterator[type[FactflowError]]:
    for error in kind.__subclasses__():
        if error.__module__.split(".")[0] in PACKAGES:
            yield error
            yield from descendants(error)


def message(error: type[FactflowError]) -> str:
    return (error.__doc__ or "").strip().splitlines()[0].replace("|", r"\|")


METHODS = ("get", "post", "put", "patch", "delete", "head")


@dataclass(frozen=True, order=True)
class Operation:
    """One HTTP operation as its controller states it."""

    tag: str
    path: str
    method: str
    name: str
    summary: str


def operations() -> list[Operation]:
    """Every operation of the controllers, by tag and path; read from the source, so nothing is started."""
    return sorted(
        operation
        for module in modules("adapters")
        if module.name.startswith("adapters.http.")
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ClassDef) and "include_in_schema = False" not in ast.unparse(node)
        for operation in of_controller(module, node)
    )


def of_controller(module: Module, controller: ast.ClassDef) -> Iterator[Operation]:
    stated = {
        target.id: ast.literal_eval(item.value)
        for item in controller.body
        if isinstance(item, ast.Assign)
        for target in item.targets
        if isinstance(target, ast.Name) and target.id in {"path", "tags"}
    }
    tag = str((stated.get("tags") or [module.path.stem])[0])
    for function in controller.body:
        for mark in (
            function.decorator_list if isinstance(function, ast.AsyncFunctionDef | ast.FunctionDef) else []
        ):
            if not (
                isinstance(mark, ast.Call) and isinstance(mark.func, ast.Name) and mark.func.id in METHODS
            ):
                continue
            given = {word.arg: word.value for word in mark.keywords}
            if literal(given.get("include_in_schema")) == "False":
                continue
            below = mark.args[0] if mark.args else given.get("path")
            for path in paths(below):
                name, summary = (literal(given.get(word)) for word in ("operation_id", "summary"))
                whole = public_path(given.get("opt")) or str(stated.get("path", "")).rstrip("/") + path
                yield Operation(tag, untyped(whole) or "/", mark.func.id.upper(), name, summary)


def paths(node: ast.expr | None) -> list[str]:
    """The paths of a route decorator, each beginning with a slash or empty."""
    value = ast.literal_eval(node) if node is not None else ""
    return [
        "/" + item.strip("/") if item.strip("/") else ""
        for item in ([value] if isinstance(value, str) else value)
    ]


def public_path(opt: ast.expr | None) -> str:
    """The path that clients see, where a handler states another one than it is registered at."""
    stated = zip(opt.keys, opt.values, strict=True) if isinstance(opt, ast.Dict) else ()
    return next((literal(value) for key, value in stated if literal(key) == "path"), "")


def literal(node: ast.expr | None) -> str:
    return str(ast.literal_eval(node)) if node is not None else ""


def untyped(path: str) -> str:
    return re.sub(r"\{(\w+):\w+\}", r"{\1}", path)


def http() -> str:
    """Every HTTP operation, by tag."""
    lines = [
        "# HTTP operations",
        "",
        NOTE,
        "The shapes of requests and answers, with examples and errors, are in the server's own `/openapi.json`.",
        "",
    ]
    tag = ""
    for operation in operations():
        if operation.tag != tag:
            tag = operation.tag
            lines += ["", f"## {tag}", "", "| operation | id | does |", "| --- | --- | --- |"]
        lines.append(f"| `{operation.method} {operation.path}` | `{operation.name}` | {operation.summary} |")
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)) + "\n"


PAGES: dict[Path, Callable[[], str]] = {FOLDER / "errors.md": errors, FOLDER / "http-operations.md": http}


def main() -> None:
    for path, page in PAGES.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
