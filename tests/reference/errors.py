"""The page of the error codes, made from the classes of the errors."""

import importlib
from collections.abc import Iterator

from domain.errors import Conflict, FactflowError, Invalid, NotFound, Refused, Unavailable
from tests.architecture.tree import LAYERS, PACKAGES, modules

KINDS: dict[type[FactflowError], str] = {
    Invalid: "The request cannot be right, whatever the state; change it.",
    NotFound: "What it names is not there.",
    Conflict: "It does not fit the present state; look again, then decide.",
    Refused: "It is well-formed but not allowed.",
    Unavailable: "Something that is needed did not answer; trying again is right.",
}


def errors_page(note: str) -> str:
    """Every error code with its default message, by kind."""
    for module in modules(*LAYERS):
        importlib.import_module(module.name)
    lines = [
        "# Error codes",
        "",
        note,
        "",
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
