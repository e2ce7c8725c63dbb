"""A run of the tests where no broker can be had: it passes and says what it left out, but in CI it fails."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
ONE_TEST = "tests/integration/test_rabbitmq.py::test_many_publish_at_once"
WITHOUT_BROKER = f"""
import sys
import pytest
from tests import rabbitmq_service

rabbitmq_service.PROGRAMS = ()
rabbitmq_service.docker_answers = lambda: False
sys.exit(pytest.main(["-q", "-p", "no:cacheprovider", "{ONE_TEST}"]))
"""


def run_without_broker(**environment: str) -> subprocess.CompletedProcess[str]:
    """A run as on a machine with neither Docker nor RabbitMQ."""
    told = {
        name: value for name, value in os.environ.items() if name not in {"CI", "FACTFLOW_TEST_RABBITMQ_URL"}
    }
    return subprocess.run(
        [sys.executable, "-c", WITHOUT_BROKER],
        cwd=ROOT,
        env={**told, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_what_wants_a_broker_is_left_out_and_said() -> None:
    """With the number of tests, and how to include them, below everything else but the count."""
    run = run_without_broker()
    assert run.returncode == 0, run.stdout
    told = run.stdout.splitlines()[-2]
    assert told.startswith(
        "left out: 1 test(s) for want of a RabbitMQ broker (start a Docker engine, install"
    )


def test_in_ci_nothing_is_left_out() -> None:
    """A service that is missing is a failure."""
    run = run_without_broker(CI="true")
    assert run.returncode == 1, run.stdout
    assert "not run for want of a RabbitMQ broker" in run.stdout
    assert "nothing is left out in CI" in run.stdout
