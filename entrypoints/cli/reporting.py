"""Runs a command and makes of everything that goes wrong one line on standard error and an exit code."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence

import click

from domain.errors import FactflowError
from domain.findings import ConfigNotRunnable, UnparseableConfig
from entrypoints.cli.exit_codes import BROKEN_PIPE, FAILED, INTERRUPTED, OK, exit_code_of
from entrypoints.cli.streams import abandon_output, harmless, one_line, prepare_streams, typed_arguments


def run(command: click.Command, name: str, arguments: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit code; ``arguments`` are those of the process unless given."""
    prepare_streams()
    try:
        result = _invoked(command, name, typed_arguments() if arguments is None else arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        abandon_output()
        return BROKEN_PIPE
    except (KeyboardInterrupt, click.Abort):
        sys.stderr.write("\nstopped\n")
        return INTERRUPTED
    except click.ClickException as error:
        _say_usage(error)
        return error.exit_code
    except Exception as error:  # noqa: BLE001  # the last place: a person gets a line, never a traceback
        return report(error)
    return result if isinstance(result, int) else OK


def _invoked(command: click.Command, name: str, arguments: Sequence[str]) -> object:
    """What the command returns. click's own `main` would make a broken pipe an exit of its own."""
    if f"_{name.replace('-', '_').upper()}_COMPLETE" in os.environ:
        return command.main(args=list(arguments), prog_name=name)  # a shell asks what could come next
    try:
        with command.make_context(name, list(arguments)) as context:
            return command.invoke(context)
    except click.exceptions.Exit as left:  # after `--help` and `--version`
        return left.exit_code


def report(error: BaseException) -> int:
    """One line that says what is wrong, then a line for each hint; the traceback only when it is asked for.

    Returns the exit code.
    """
    if wants_traceback():
        traceback.print_exception(error)
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    lines = [f"error: {one_line(_message(error))} ({_code(error)})", *map(_indented, _hints(error))]
    sys.stderr.write("\n".join(lines) + "\n")
    return exit_code_of(error)


def wants_traceback() -> bool:
    """Whether FACTFLOW_DEBUG or --debug, which sets it, is on."""
    return os.environ.get("FACTFLOW_DEBUG", "").lower() not in {"", "0", "false", "no", "off"}


def _message(error: BaseException) -> str:
    if isinstance(error, FactflowError):
        return error.message
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _code(error: BaseException) -> str:
    if isinstance(error, FactflowError):
        return error.code
    return "system_error" if isinstance(error, OSError) else "internal_error"


def _hints(error: BaseException) -> list[str]:
    hints = [str(note) for note in getattr(error, "__notes__", ())]
    if isinstance(error, ConfigNotRunnable | UnparseableConfig):
        hints += [
            f"line {finding.line or '-'}: {finding.code} {finding.message}; {finding.remediation}"
            for finding in error.report.findings
        ]
    if isinstance(error, ModuleNotFoundError):
        hints.append(
            "the environment is older than the code, or damaged: `make setup` installs what is missing"
        )
    if exit_code_of(error) == FAILED and not wants_traceback() and not isinstance(error, FactflowError):
        hints.append("FACTFLOW_DEBUG=1 shows where it arose")
    return hints


def _indented(hint: str) -> str:
    return "  " + harmless(hint).strip().replace("\n", "\n  ")


def _say_usage(error: click.ClickException) -> None:
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        sys.stderr.write(harmless(error.format_message()) + "\n")
        return
    context = getattr(error, "ctx", None)
    sys.stderr.write(f"error: {one_line(error.format_message())} (usage)\n")
    if isinstance(context, click.Context):
        sys.stderr.write(f"  {context.get_usage()}\n  {context.command_path} --help tells more\n")
