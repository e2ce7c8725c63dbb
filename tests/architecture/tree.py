"""The source tree as the architecture tests see it: modules, imports, classes; read, never imported."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LAYERS = ("domain", "application", "adapters", "entrypoints")
PACKAGES = (*LAYERS, "factflow_server")


@dataclass(frozen=True)
class Module:
    """One source file. `name` is dotted; a package's `__init__` has the package's name."""

    path: Path

    @property
    def name(self) -> str:
        parts = self.path.relative_to(ROOT).with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    @property
    def layer(self) -> str:
        return self.name.split(".")[0]

    @property
    def place(self) -> str:
        """The layer and the package in it: `adapters.postgres`, `entrypoints.cli`."""
        return ".".join(self.name.split(".")[:2])

    @cached_property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, filename=str(self.path))

    @cached_property
    def imports(self) -> frozenset[str]:
        """Dotted names of everything imported, also inside functions and under TYPE_CHECKING."""
        return frozenset(self._imports())

    def _imports(self) -> Iterator[str]:
        package = self.name.split(".") if self.path.name == "__init__.py" else self.name.split(".")[:-1]
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                above = package[: len(package) - node.level + 1] if node.level else []
                origin = ".".join([*above, *([node.module] if node.module else [])])
                yield origin
                yield from (f"{origin}.{alias.name}" for alias in node.names)

    def classes(self) -> Iterator[ast.ClassDef]:
        return (node for node in self.tree.body if isinstance(node, ast.ClassDef))

    def functions(self) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
        return (
            node for node in ast.walk(self.tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        )

    def __str__(self) -> str:
        return str(self.path.relative_to(ROOT))


def modules(*packages: str) -> tuple[Module, ...]:
    """Every module of these top-level packages, of all five when none is named, in order."""
    return tuple(module for package in packages or PACKAGES for module in _modules_of(package))


@cache
def _modules_of(package: str) -> tuple[Module, ...]:
    """Read and parsed once, whichever packages are asked for together."""
    paths = sorted((ROOT / package).rglob("*.py"))
    return tuple(Module(path) for path in paths if "__pycache__" not in path.parts)


def forget() -> None:
    """Let go of every module that was read, and with it of its syntax tree."""
    _modules_of.cache_clear()


def top(name: str) -> str:
    return name.split(".", maxsplit=1)[0]


def is_in(name: str, place: str) -> bool:
    return name == place or name.startswith(f"{place}.")


def methods(node: ast.ClassDef) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    """The methods and properties a class states, private ones apart."""
    return [
        item
        for item in node.body
        if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef)
        and (not item.name.startswith("_") or item.name in {"__aenter__", "__aexit__"})
    ]


def is_protocol(node: ast.ClassDef) -> bool:
    return any(ast.unparse(base).split("[")[0].split(".")[-1] == "Protocol" for base in node.bases)
