"""The environments that peers run in, each made once per state of its list of requirements."""

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


def peers_python(requirements: Path = REQUIREMENTS, *, size: str = "1.5 GB, some minutes") -> Path:
    """The Python of the environment, which is made first when it is not there; raises NotMeasurable."""
    digest = hashlib.sha256(requirements.read_bytes() + sys.version.encode()).hexdigest()[:12]
    folder = _cache() / f"{requirements.stem}-{digest}"
    python = folder / "bin" / "python"
    if not (folder / COMPLETE).exists():
        progress(f"peers: installing {requirements.name} into {folder} (about {size}, once)")
        _make(folder, python, requirements)
    return python


def _make(folder: Path, python: Path, requirements: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    try:
        venv.create(folder, with_pip=True)
        done = subprocess.run(  # noqa: S603 - our own command
            [python, "-m", "pip", "install", "--quiet", "--requirement", requirements],
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
