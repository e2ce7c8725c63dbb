"""How quickly things start and how much room they take."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks.outcome import Cell, Figure, NotMeasurable, Outcome
from benchmarks.printing import progress
from benchmarks.server_process import environment, server

NAME = "startup"
PROJECT = Path(__file__).resolve().parents[1]
HELP_RUNS = 9
MAX_HELP_SECONDS = 0.4
MAX_READY_SECONDS = 5.0
MAX_IDLE_MB = 300
MAX_ENVIRONMENT_MB = 650
MB = 1_000_000


def measure(*, installed: Path | None) -> Outcome:
    """All of it; ``installed`` is an environment to weigh, None makes one as ``make serve`` does."""
    rows: list[Sequence[Cell]] = []
    figures = [*_help(rows), *_serving(rows), _environment(installed)]
    return Outcome(
        benchmark=NAME,
        columns=["what", "run", "seconds", "idle MB"],
        rows=rows,
        figures=figures,
        notes=["MB are 1,000,000 bytes; idle memory is what is resident of the server process alone."],
    )


def _help(rows: list[Sequence[Cell]]) -> Iterator[Figure]:
    commands = {
        "python -m factflow_server --help": [sys.executable, "-m", "factflow_server", "--help"],
        "factflow --help": [str(Path(sys.executable).with_name("factflow")), "--help"],
    }
    for name, command in commands.items():
        progress(f"{NAME}: {name}, {HELP_RUNS} times")
        _timed(command)  # the first run compiles what was not compiled yet
        times = [_timed(command) for _ in range(HELP_RUNS)]
        rows.extend([name, number, seconds, ""] for number, seconds in enumerate(times, start=1))
        yield Figure(name=name, value=median(times), unit="s", at_most=MAX_HELP_SECONDS)


def _timed(command: Sequence[str]) -> float:
    started = time.perf_counter()
    done = subprocess.run(  # noqa: S603 - our own commands
        command, cwd=PROJECT, env=environment(), capture_output=True, check=False
    )
    if done.returncode:
        raise NotMeasurable(
            f"{' '.join(command)} ended with {done.returncode}: {done.stderr.decode()[-500:]}"
        )
    return time.perf_counter() - started


def _serving(rows: list[Sequence[Cell]]) -> Iterator[Figure]:
    """Two starts over the same data folder and the project's own docs: the first ingests, the second finds it done."""
    idle: list[float] = []
    ready: list[float] = []
    with TemporaryDirectory(prefix="factflow-benchmark-") as place:
        for number in (1, 2):
            progress(f"{NAME}: start {number} of the server")
            with server(Path(place) / "data", PROJECT / "docs") as running:
                running.wait_until_idle()
                idle.append(running.resident_bytes() / MB)
                rows.append(["serve --embedded", number, running.ready_after, idle[-1]])
                ready.append(running.ready_after)
                progress(f"{NAME}: ready after {ready[-1]:.2f} s, {idle[-1]:.0f} MB idle")
    yield Figure(name="second serve, ready after", value=ready[1], unit="s", at_most=MAX_READY_SECONDS)
    yield Figure(name="idle memory of the server", value=max(idle), unit="MB", at_most=MAX_IDLE_MB)


def _environment(installed: Path | None) -> Figure:
    if installed is not None:
        return _weight(installed, name=f"environment {installed}")
    with TemporaryDirectory(prefix="factflow-benchmark-") as place:
        made = Path(place) / ".venv"
        progress(f"{NAME}: installing what `make serve` installs into an environment of its own")
        done = subprocess.run(  # noqa: S603 - our own command
            ["make", "--no-print-directory", "setup", f"VENV={made}", f"PYTHON={sys.executable}"],  # noqa: S607
            cwd=PROJECT,
            capture_output=True,
            check=False,
        )
        if done.returncode:
            raise NotMeasurable(f"`make setup` failed: {done.stderr.decode()[-1000:]}")
        return _weight(made, name="environment after make serve")


def _weight(folder: Path, *, name: str) -> Figure:
    if not (folder / "pyvenv.cfg").is_file():
        raise NotMeasurable(f"{folder} is not a virtual environment")
    return Figure(name=name, value=_bytes_on_disk(folder) / MB, unit="MB", at_most=MAX_ENVIRONMENT_MB)


def _bytes_on_disk(folder: Path) -> int:
    """The blocks that files and folders take, each file once however many links it has."""
    seen: dict[tuple[int, int], int] = {}
    for path in (folder, *folder.rglob("*")):
        status = path.lstat()
        seen[status.st_dev, status.st_ino] = status.st_blocks * 512
    return sum(seen.values())
