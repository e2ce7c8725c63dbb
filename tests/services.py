"""What a test does when a service it needs is not there."""

import functools
import os
import subprocess
import sys
from typing import NoReturn

import pytest

WANT = "for want of "
"""Every such reason begins so; the terminal summary finds them by it."""


def in_ci() -> bool:
    return os.environ.get("CI", "").lower() in {"1", "true", "yes"}


def skip_for_want_of(what: str, *, how: str = "") -> NoReturn:
    """Leave the running test out because `what` is missing; in CI (`CI=true`) fail it instead.

    `how` says in a few words how to include it ("start a Docker engine").
    """
    reason = f"{WANT}{what}" + (f" ({how})" if how else "")
    if in_ci():
        pytest.fail(f"not run {reason}: nothing is left out in CI", pytrace=False)
    pytest.skip(reason)


def needs(service: str, available: bool, *, how: str = "") -> None:  # reads as a sentence
    """Go on when `service` is `available`; otherwise leave the test out, as `skip_for_want_of` does."""
    if not available:
        skip_for_want_of(service, how=how)


@functools.cache
def docker_answers() -> bool:
    """Whether an engine answers: a client on PATH is none."""
    # In a process of its own, because the client leaves its socket open when nobody answers.
    asking = "import docker; docker.from_env(timeout=5).ping()"
    asked = subprocess.run([sys.executable, "-c", asking], capture_output=True, check=False)
    return asked.returncode == 0
