"""RabbitMQ for tests: an address that is given, a container, or a node of the test's own; one a session.

A given address is that of a broker whose queues these tests may add to; they have names that nobody else has, and
are deleted. Tests that restart a broker, or fill its disk, start a node of their own.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

import pytest

from tests.services import docker_answers, needs

ADDRESS = "FACTFLOW_TEST_RABBITMQ_URL"
IMAGE = "rabbitmq:4-alpine"
HOW = f"start a Docker engine, install rabbitmq-server, or put an address into {ADDRESS}"
HOW_OWN = "start a Docker engine or install rabbitmq-server"

START_SECONDS = 90.0
PROTOCOL_HEADER = b"AMQP\x00\x00\x09\x01"

PROGRAMS = ("/usr/lib/rabbitmq/bin", "/usr/local/sbin", "/opt/homebrew/sbin", "/usr/local/opt/rabbitmq/sbin")
"""Where the programs themselves are. What a distribution puts on PATH may be a wrapper that changes the user."""


class Node(Protocol):
    """A broker that the test may do anything to."""

    url: str

    def start(self) -> None:
        """Start it, again too; returns when it answers."""
        ...

    def kill(self) -> None:
        """End it at once, as a power cut would."""
        ...

    def control(self, *arguments: str) -> str:
        """What ``rabbitmqctl`` says to that."""
        ...

    def remove(self) -> None:
        """End it and take away what it wrote."""
        ...


class LocalNode:
    """A node from an installed RabbitMQ, on free ports, with a home, a name, data and a port mapper of its own."""

    def __init__(self, programs: Path) -> None:
        self._programs = programs
        self._folder = Path(tempfile.mkdtemp(prefix="factflow-rabbitmq-"))
        self._port, self._distribution_port, self._mapper_port = _free_ports(3)
        self._node = f"factflow-{uuid4().hex[:8]}@localhost"
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"amqp://guest:guest@127.0.0.1:{self._port}/"
        (self._folder / "rabbitmq.conf").write_text(
            f"listeners.tcp.1 = 127.0.0.1:{self._port}\nlog.file.level = error\nvm_memory_high_watermark.relative = 0.9\n"
            "disk_free_limit.absolute = 1MB\n"
        )
        (self._folder / "enabled_plugins").write_text("[].\n")

    def start(self) -> None:
        self._process = subprocess.Popen(
            [str(self._programs / "rabbitmq-server")],
            env=self._environment(),
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        _wait_until_it_answers("127.0.0.1", self._port, self._has_ended)

    def _has_ended(self) -> bool:
        return self._process is None or self._process.poll() is not None

    def kill(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            # The group: the program is started by a shell.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def control(self, *arguments: str) -> str:
        command = [str(self._programs / "rabbitmqctl"), "--node", self._node, "--quiet", *arguments]
        return subprocess.run(
            command, env=self._environment(), cwd=self._folder, check=True, capture_output=True, text=True
        ).stdout

    def remove(self) -> None:
        self.kill()
        mapper = shutil.which("epmd")
        if mapper is not None:
            command = [mapper, "-port", str(self._mapper_port), "-kill"]
            subprocess.run(command, env=self._environment(), check=False, capture_output=True)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _environment(self) -> dict[str, str]:
        folder = str(self._folder)
        return {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "HOME": folder,
            "ERL_EPMD_PORT": str(self._mapper_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            # Or the port mapper would not end while it knows of a node, though that was killed.
            "ERL_EPMD_RELAXED_COMMAND_CHECK": "1",
            "RABBITMQ_NODENAME": self._node,
            "RABBITMQ_NODE_PORT": str(self._port),
            "RABBITMQ_DIST_PORT": str(self._distribution_port),
            "RABBITMQ_CONFIG_FILE": str(self._folder / "rabbitmq.conf"),
            "RABBITMQ_CONF_ENV_FILE": str(self._folder / "none"),
            "RABBITMQ_MNESIA_BASE": f"{folder}/data",
            "RABBITMQ_LOG_BASE": f"{folder}/log",
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self._folder / "enabled_plugins"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1 +sbwt none",
        }


class ContainerNode:
    """A node in a container, on a port of this machine that stays the same when it is started again."""

    def __init__(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from testcontainers.core.container import DockerContainer

        (port,) = _free_ports(1)
        self._port = port
        self._container: Any = DockerContainer(IMAGE).with_bind_ports(5672, port)
        self._is_made = False
        self.url = f"amqp://guest:guest@127.0.0.1:{port}/"

    def start(self) -> None:
        if self._is_made:
            self._container.get_wrapped_container().start()
        else:
            self._container.start()
            self._is_made = True
        _wait_until_it_answers("127.0.0.1", self._port, lambda: False)

    def kill(self) -> None:
        self._container.get_wrapped_container().kill()

    def control(self, *arguments: str) -> str:
        command = ["rabbitmqctl", "--quiet", *arguments]
        code, output = self._container.get_wrapped_container().exec_run(command)
        text: str = output.decode()
        if code:
            raise RuntimeError(text)
        return text

    def remove(self) -> None:
        if self._is_made:
            self._container.stop()


@contextmanager
def own_node() -> Iterator[Node]:
    """A broker that nobody else uses; without one the test is left out."""
    with _started(HOW_OWN) as node:
        yield node


@pytest.fixture(scope="session")
def rabbitmq_url() -> Iterator[str]:
    """The address of a broker that lasts for the session."""
    if given := os.environ.get(ADDRESS):
        yield given
        return
    with _started(HOW) as node:
        yield node.url


@contextmanager
def _started(how: str) -> Iterator[Node]:
    programs = _programs()
    has_engine = docker_answers()
    needs("a RabbitMQ broker", has_engine or programs is not None, how=how)
    node: Node = ContainerNode() if has_engine or programs is None else LocalNode(programs)
    try:
        node.start()
        yield node
    finally:
        node.remove()


def _programs() -> Path | None:
    folders = (Path(folder) for folder in PROGRAMS)
    return next((folder for folder in folders if (folder / "rabbitmq-server").exists()), None)


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def _wait_until_it_answers(host: str, port: int, ended: Callable[[], bool]) -> None:
    until = time.monotonic() + START_SECONDS
    while not _answers(host, port):
        if ended():
            raise RuntimeError("the broker ended while it was started")
        if time.monotonic() > until:
            raise RuntimeError(f"the broker did not answer within {START_SECONDS:g} seconds")
        time.sleep(0.1)


def _answers(host: str, port: int) -> bool:
    """Whether somebody at the port speaks AMQP."""
    try:
        with socket.create_connection((host, port), timeout=2) as line:
            line.sendall(PROTOCOL_HEADER)
            return line.recv(1) == b"\x01"
    except OSError:
        return False
