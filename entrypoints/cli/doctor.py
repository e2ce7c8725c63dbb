"""`doctor`: prints what was found on this machine."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Collection, Mapping, Sequence

from domain.errors import FactflowError
from entrypoints.cli import machine
from entrypoints.cli.exit_codes import FAILED, OK
from entrypoints.cli.language_model_check import language_model
from entrypoints.cli.machine import Check, State
from entrypoints.cli.services import services
from entrypoints.cli.streams import harmless
from entrypoints.modes import require_for_serving
from entrypoints.setting_problems import InvalidSettings
from entrypoints.settings import Settings, unknown_variables, variable

_UNTOLD = Check(
    "others",
    State.WARNING,
    "mode, folders, port, exposure, processor and language model are looked at once the settings are right",
)
_SERVICES = ("database", "queue", "storage")
MARKS = {State.OK: "ok", State.WARNING: "warning", State.FAILED: "FAILED"}


def examine(environment: Mapping[str, str], flags: Mapping[str, str | None], *, output: str) -> int:
    """Check this machine and its settings, print the findings; returns FAILED when a server could not run here."""
    checks = checks_of(environment, flags)
    failed = [check for check in checks if check.state is State.FAILED]
    sys.stdout.write(as_json(checks) if output == "json" else as_table(checks))
    return FAILED if failed else OK


def checks_of(environment: Mapping[str, str], flags: Mapping[str, str | None]) -> Sequence[Check]:
    """Every check; of the settings that are wrong only that they are, and nothing of what hangs on all of them."""
    stated = settings_checks(environment, flags)
    packages = (machine.python(), machine.environment(), machine.packages(), machine.embedding_model())
    try:
        settings = Settings.read(environment, flags)
    except InvalidSettings as error:
        wrong = {problem.name for problem in error.problems}
        return (*stated, *packages, *services(_without(wrong | _unasked(wrong), environment, flags)), _UNTOLD)
    # A database by its address is what sets a server apart from an embedded one.
    is_embedded = settings.database_url is None
    return (
        *stated,
        *packages,
        mode(settings, is_embedded=is_embedded),
        *([machine.user(settings.data_dir), machine.embedded_postgres()] if is_embedded else []),
        machine.data_folder(settings.data_dir),
        machine.disk(settings.data_dir, has_database=is_embedded),
        machine.documents(settings.docs, has_default=is_embedded),
        machine.port(settings.host, settings.port),
        machine.exposure(settings.host, needs_keys=settings.needs_keys(embedded=is_embedded)),
        *services(settings),
        machine.processor(settings.model_compute_type),
        language_model(settings),
    )


def _unasked(wrong: Collection[str]) -> frozenset[str]:
    """The addresses of what is not asked: a service with a wrong setting would be asked in another way, or elsewhere."""
    return frozenset(f"{one}_url" for one in _SERVICES if any(name.startswith(f"{one}_") for name in wrong))


def _without(
    wrong: Collection[str], environment: Mapping[str, str], flags: Mapping[str, str | None]
) -> Settings:
    """The settings with those as if nobody had said anything of them."""
    variables = {variable(name) for name in wrong}
    said = {name: value for name, value in environment.items() if name not in variables}
    return Settings.read(said, {name: value for name, value in flags.items() if name not in wrong})


def mode(settings: Settings, *, is_embedded: bool) -> Check:
    """Whether the settings are enough for a server, and do not contradict each other."""
    try:
        require_for_serving(settings, embedded=is_embedded)
    except FactflowError as error:
        return Check("mode", State.FAILED, error.message, "; ".join(getattr(error, "__notes__", ())))
    if is_embedded:
        return Check("mode", State.OK, "an embedded server, with a PostgreSQL of its own")
    return Check("mode", State.OK, "a server on the PostgreSQL of FACTFLOW_DATABASE_URL")


def settings_checks(environment: Mapping[str, str], flags: Mapping[str, str | None]) -> Sequence[Check]:
    """One check for all settings, and one more for each that is wrong or unknown."""
    warnings = [Check("settings", State.WARNING, text) for text in unknown_variables(environment)]
    try:
        Settings.read(environment, flags)
    except InvalidSettings as error:
        return [*(Check("settings", State.FAILED, str(problem)) for problem in error.problems), *warnings]
    return warnings or [Check("settings", State.OK, "all valid")]


def as_table(checks: Sequence[Check]) -> str:
    """Three columns for people; a hint stands under what it is for."""
    width = max(len(check.name) for check in checks)
    columns = max(shutil.get_terminal_size().columns, 40)
    lines: list[str] = []
    for check in checks:
        start = f"{MARKS[check.state]:<8} {check.name:<{width}}  "
        lines += _wrapped(start, harmless(check.message), columns)
        lines += _wrapped(" " * len(start), harmless(check.hint), columns) if check.hint else []
    failed = sum(check.state is State.FAILED for check in checks)
    lines.append("")
    lines.append("a server can run here" if not failed else f"a server cannot run here yet: {failed} failed")
    return "\n".join(lines) + "\n"


def as_json(checks: Sequence[Check]) -> str:
    """`{"ok": …, "checks": [{"name", "state", "message", "hint"}]}`."""
    found = [
        {"name": check.name, "state": check.state, "message": check.message, "hint": check.hint}
        for check in checks
    ]
    is_ok = all(check.state is not State.FAILED for check in checks)
    return json.dumps({"ok": is_ok, "checks": found}, indent=2) + "\n"


def _wrapped(start: str, text: str, columns: int) -> list[str]:
    if not sys.stdout.isatty() or columns - len(start) < 20:
        return [start + text]
    import textwrap

    return textwrap.wrap(text, columns, initial_indent=start, subsequent_indent=" " * len(start)) or [start]
