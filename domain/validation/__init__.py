"""Validates a parsed pipeline config: everything wrong at once, and the pipeline when nothing is."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

from domain.findings import Finding, ValidationReport
from domain.json import Json
from domain.pipeline import ErrorHandling, InitMessage, Pipeline, Route
from domain.validation.collected import Collected
from domain.validation.limits import read_backpressure, read_error_handling, read_max_dead_letters
from domain.validation.routes import AdapterCheck, Inherited, read_routes
from domain.validation.section import Section, kind, shown
from domain.validation.topology import check_collectors, check_consumers, check_flow

__all__ = ["AdapterCheck", "validate"]

MAJOR, MINOR = 1, 0
"""The version of the format that this server reads."""

_VERSION = re.compile(r"([0-9]{1,9})\.([0-9]{1,9})", re.ASCII)
_KEYS = ("version", "routes", "init_message", "error_handling", "backpressure")


def _nothing_collects(_: str) -> bool:
    return False


def validate(
    value: Json,
    lines: Mapping[str, int] | None = None,
    *,
    check: AdapterCheck,
    found: Iterable[Finding] = (),
    collects: Callable[[str], bool] = _nothing_collects,
) -> tuple[Pipeline | None, ValidationReport]:
    """The pipeline that a config's plain value describes, and everything wrong with it.

    ``lines`` maps paths to lines (from 1), ``found`` is what the parser has found already; ``collects`` tells the types
    of pipeline adapters that take groups of messages. There is a pipeline exactly when the report has no errors. Never
    raises unless ``check`` does.
    """
    collected = Collected(lines, found)
    if not isinstance(value, Mapping):
        if not collected.has_errors:
            collected.add("E101", "", f"a mapping is needed, not {kind(value)}")
        return None, collected.report()
    pipeline = _pipeline(Section(value, "", collected), check, collects)
    return (None if collected.has_errors else pipeline), collected.report()


def _pipeline(root: Section, check: AdapterCheck, collects: Callable[[str], bool]) -> Pipeline:
    root.only(*_KEYS)
    version = _version(root)
    inherited = Inherited(
        error_handling=read_error_handling(root, ErrorHandling()), backpressure=read_backpressure(root, None)
    )
    routes = read_routes(root, inherited, check)
    init = _init_message(root)
    check_collectors(root, routes, collects)
    _check_topology(root, routes, init)
    return Pipeline(
        version=version,
        routes=routes,
        init_message=init,
        max_dead_letters=read_max_dead_letters(root),
    )


def _version(root: Section) -> str:
    version = root.values.get("version")
    if isinstance(version, int | float) and not isinstance(version, bool):
        root.note("W101", "version", f"the version {version} is a number")
        version = f"{version}.0" if isinstance(version, int) else str(version)
    elif root.required("version"):
        version = root.text("version")
    if not isinstance(version, str):
        return ""
    match = _VERSION.fullmatch(version)
    if match is None or int(match[1]) != MAJOR:
        root.note("E105", "version", f"the version {shown(version)} is not supported")
    elif int(match[2]) > MINOR:
        root.note("W102", "version", f"the version {shown(version)} is newer than {MAJOR}.{MINOR}")
    return version


def _init_message(root: Section) -> InitMessage | None:
    if root.values.get("init_message") is None:
        root.note("W502", "init_message", "there is no init message")
        return None
    section = root.section("init_message")
    if section is None:
        return None
    section.only("route", "payload")
    route = section.text("route") if section.required("route") else None
    payload = section.section("payload")
    if route is None:
        return None
    return InitMessage(route=route, payload={} if payload is None else payload.values)


def _check_topology(root: Section, routes: Mapping[str, Route], init: InitMessage | None) -> None:
    named = root.values.get("routes")
    if not isinstance(named, Mapping):
        return
    if init is not None and init.route not in named:
        root.note("E204", "init_message.route", f"there is no route {shown(init.route)}")
    check_consumers(root, routes)
    if len(routes) == len(named):  # with a route that could not be read, these would be guesses
        check_flow(root, routes, init)
