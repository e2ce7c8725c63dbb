"""Finds the pipeline adapters of installed packages by their entry points."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Container, Iterator
from dataclasses import dataclass, replace
from importlib.metadata import EntryPoint, entry_points
from itertools import groupby

from adapters.pipeline.configuration import fields_of, schema_of
from application.ports.pipeline_adapter import AdapterExample, Registration, UnusableAdapter

GROUP = "factflow.pipeline_adapters"

_TYPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")


class WrongShape(Exception):
    """What an entry point leads to is not what a pipeline adapter's registration must be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Discovered:
    """One type and the entry points that declare it: one, unless packages quarrel over it. Nothing is imported yet."""

    type: str
    declared_by: tuple[EntryPoint, ...]

    @property
    def package(self) -> str:
        """The distributions that declare it, as pip lists them."""
        return ", ".join(sorted({_name(entry) for entry in self.declared_by}))

    def loaded(self, *, taken: Container[str]) -> Registration | UnusableAdapter:
        """The registration, with version and package of its distribution, or why it cannot be used; never raises."""
        if self.type in taken:
            return self._unusable(
                f"{self.package} declares a type that comes with the server; it needs another name"
            )
        if len(self.declared_by) > 1:
            return self._unusable(f"it is declared more than once, by {self.package}; keep one of them")
        (entry,) = self.declared_by
        try:
            return _registration(entry)
        except WrongShape as error:
            return self._unusable(f"{self.package} declares it as {entry.value}, but {error}")
        # A plugin is foreign code: whatever its import raises, even SystemExit, must not stop the server.
        except (Exception, SystemExit) as error:  # noqa: BLE001
            return self._unusable(
                f"{self.package} could not be imported ({entry.value}): {error.__class__.__name__}: {error}"
            )

    def _unusable(self, reason: str) -> UnusableAdapter:
        return UnusableAdapter(type=self.type, package=self.package, reason=reason)


def installed() -> Iterator[Discovered]:
    """What the packages of this environment declare, by type; reads their metadata and imports none of them."""
    found = sorted(entry_points(group=GROUP), key=lambda entry: entry.name)
    for name, entries in groupby(found, key=lambda entry: entry.name):
        yield Discovered(type=name, declared_by=tuple(entries))


def _registration(entry: EntryPoint) -> Registration:
    found = entry.load()
    if not isinstance(found, Registration):
        raise WrongShape(f"that is {_shown(found)} and not a Registration")
    if found.type != entry.name:
        raise WrongShape(f"that is registered as {found.type!r}")
    if not _TYPE.fullmatch(found.type):
        raise WrongShape("a type is 1 to 100 letters, digits, `_`, `.` and `-`")
    _require_config(found)
    if not callable(found.build):
        raise WrongShape("its build cannot be called")
    _require_work(found)
    _require_example(found.example)
    version = found.version or (entry.dist.version if entry.dist else None)
    if not isinstance(version, str) or not version:
        raise WrongShape("neither it nor its package has a version")
    return replace(found, version=version, package=_name(entry), description=str(found.description))


def _require_config(registration: Registration) -> None:
    try:
        fields_of(registration.config)
        schema_of(registration.config)
    except (TypeError, NameError) as error:
        raise WrongShape(f"its config is not a dataclass whose fields are JSON: {error}") from error


def _require_example(example: AdapterExample) -> None:
    try:
        json.dumps([example.config, example.payload], allow_nan=False)
        is_one = all(isinstance(step, str) for step in (*example.before, *example.after, *example.then))
    except (AttributeError, TypeError, ValueError) as error:
        raise WrongShape(f"its example is not an AdapterExample of JSON: {error}") from error
    if not is_one:
        raise WrongShape("its example names types that are no texts")


def _require_work(registration: Registration) -> None:
    """When ``build`` is the class itself, what it builds can be told without building it."""
    if not isinstance(registration.build, type):
        return
    name, parameters = ("collect", "messages, context") if registration.collects else ("process", "context")
    if not inspect.iscoroutinefunction(getattr(registration.build, name, None)):
        raise WrongShape(f"{registration.build.__name__} has no `async def {name}(self, {parameters})`")
    state = [getattr(registration.build, name, None) for name in ("open", "close")]
    if any(state) and not all(map(inspect.iscoroutinefunction, state)):
        raise WrongShape(
            f"{registration.build.__name__} has not both of `async def open` and `async def close`"
        )


def _name(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist else "an unnamed package"


def _shown(value: object) -> str:
    return value.__name__ if isinstance(value, type) else type(value).__name__
