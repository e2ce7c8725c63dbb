"""Writes the pages of docs/reference/ that are made from the code: `python -m tests.architecture.reference`."""

import importlib
from collections.abc import Callable, Iterator
from pathlib import Path

from domain.errors import Conflict, FactflowError, Invalid, NotFound, Refused, Unavailable
from tests.architecture.tree import PACKAGES, ROOT, modules

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
    for module in modules("domain", "application", "adapters"):
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


PAGES: dict[Path, Callable[[], str]] = {FOLDER / "errors.md": errors}


def main() -> None:
    for path, page in PAGES.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
