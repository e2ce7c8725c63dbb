"""The first moments of a process, before the modules of its command line are there."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager


def client() -> int:
    """Run `factflow`; returns the exit code."""
    with _ctrl_c_just_ends():
        from entrypoints.cli.main import main
    return main()


def server() -> int:
    """Run `python -m factflow_server`; returns the exit code."""
    with _ctrl_c_just_ends():
        from entrypoints.cli.server import main
    return main()


@contextmanager
def _ctrl_c_just_ends() -> Iterator[None]:
    """While modules are imported Ctrl-C ends the process at once: a traceback through imports tells nobody anything."""
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield  # whoever started us has it ignored
        return
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGINT, signal.default_int_handler)
