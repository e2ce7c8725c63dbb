"""The environment that the peers run in, made once per state of peers.txt."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

from benchmarks.outcome import NotMeasurable
from benchmarks.printing import progress

REQUIREMENTS = Path(__file__).with_name("peers.txt")
COMPLETE = ".complete"


def peers_python() -> Path:
    """The Python of the environment, which is made first when it is not there; raises NotMeasurable."""
    digest = hashlib.sha256(REQUIREMENTS.read_bytes() + sys.version.encode()).hexdigest()[:12]
    folder = _cache() / f"peers-{digest}"
    python = folder / "bin" / "python"
    if not (folder / COMPLETE).exists():
        _make(folder, python)
    return python


def _make(folder: Path, python: Path) -> None:
    progress(f"peers: installing {REQUIREMENTS.name} into {folder} (about 1.5 GB, some minutes, once)")
    shutil.rmtree(folder, ignore_errors=True)
    try:
        venv.create(folder, with_pip=True)
        done = subprocess.run(  # noqa: S603 - our own command
            [python, "-m", "pip", "install", "--quiet", "--requirement", REQUIREMENTS],
            capture_output=True,
            check=False,
        )
    except (OSError, subprocess.CalledProcessError) as error:
        raise NotMeasurable(f"the peers' environment could not be made in {folder}: {error}") from error
    if done.returncode:
        raise NotMeasurable(f"the peers could not be installed: {done.stderr.decode()[-1000:]}")
    (folder / COMPLETE).touch()


def _cache() -> Path:
    stated = os.environ.get("XDG_CACHE_HOME")
    return (Path(stated) if stated else Path.home() / ".cache") / "factflow-benchmarks"
