"""An S3 server for tests, and a bucket of its own for each test.

In this order: the one at ``FACTFLOW_TEST_S3_URL`` (with ``_ACCESS_KEY`` and ``_SECRET_KEY``), one in a container where a
Docker engine answers, that of moto in a process of its own.

Run as a program, it is that process: it prints its port, and ends with its standard input.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import importlib.util
import io
import os
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from adapters.s3.storage import S3ObjectStorage
from tests.services import docker_answers, needs

ROOT = Path(__file__).parent.parent
IMAGE = "chrislusf/seaweedfs:4.47"
"""That of compose.yaml."""
PORT = 8333
ADDRESS = "FACTFLOW_TEST_S3_URL"


@dataclass(frozen=True)
class S3Service:
    """An S3 server and the key to it."""

    url: str
    access_key: str
    secret_key: str
    is_moto: bool = False
    """It verifies no signatures, and has no users."""

    @cached_property
    def lists_in_order(self) -> bool:
        """Whether a key may be the folder of another, and keys are listed in their order, as on AWS."""
        bucket, keys = new_bucket(), ["a", "a-b", "a/b"]
        self.client.create_bucket(Bucket=bucket)
        try:
            for key in reversed(keys):
                self.client.put_object(Bucket=bucket, Key=key, Body=b"x")
            found = self.client.list_objects_v2(Bucket=bucket).get("Contents", ())
            return [one["Key"] for one in found] == keys
        except self.client.exceptions.ClientError:
            return False
        finally:
            remove_bucket(self, bucket)

    def storage(self, bucket: str, **settings: Any) -> S3ObjectStorage:
        """A storage in a bucket of this server, not opened."""
        return S3ObjectStorage(
            bucket,
            **{
                "endpoint_url": self.url,
                "region": "us-east-1",
                "access_key": self.access_key,
                "secret_key": self.secret_key,
                **settings,
            },
        )

    @cached_property
    def client(self) -> Any:
        """A plain client, to look at what lies on the server."""
        import boto3.session
        from botocore.config import Config

        return boto3.session.Session().client(
            "s3",
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            config=Config(s3={"addressing_style": "path"}, max_pool_connections=16),
        )


@pytest.fixture(scope="session")
def s3_service() -> Iterator[S3Service]:
    """The server that lasts for the session; without any the test is left out, in CI it fails."""
    with _running() as service:
        yield service
        service.client.close()


def _running() -> AbstractContextManager[S3Service]:
    url = os.environ.get(ADDRESS)
    if url:
        access_key, secret_key = (
            os.environ.get(f"FACTFLOW_TEST_S3_{name}_KEY", "") for name in ("ACCESS", "SECRET")
        )
        return nullcontext(S3Service(url, access_key, secret_key))
    if docker_answers():
        return _container()
    has_moto = all(importlib.util.find_spec(name) for name in ("moto", "flask", "flask_cors"))
    needs("an S3 server", has_moto, how=f"set {ADDRESS}, start a Docker engine, or install moto")
    return _moto()


@contextmanager
def _container() -> Iterator[S3Service]:
    from testcontainers.core.container import DockerContainer

    server = (
        DockerContainer(IMAGE)
        .with_command(f"mini -dir=/data -s3.port={PORT}")
        .with_env("AWS_ACCESS_KEY_ID", "factflow")
        .with_env("AWS_SECRET_ACCESS_KEY", "factflow-secret")
        .with_exposed_ports(PORT)
    )
    with server:
        address = f"http://{server.get_container_host_ip()}:{server.get_exposed_port(PORT)}"
        service = S3Service(address, "factflow", "factflow-secret")
        _await_answer(service)
        yield service


def _await_answer(service: S3Service) -> None:
    from botocore.exceptions import BotoCoreError, ClientError

    until = time.monotonic() + 60
    while True:
        try:
            service.client.list_buckets()
            return
        except (BotoCoreError, ClientError):
            if time.monotonic() > until:
                raise
            time.sleep(0.2)


@contextmanager
def _moto() -> Iterator[S3Service]:
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.s3_service"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with server:
        assert server.stdin is not None
        assert server.stdout is not None
        try:
            port = server.stdout.readline().strip()
            assert port, "moto did not start"
            yield S3Service(f"http://127.0.0.1:{port}", "test", "test-secret", is_moto=True)
        finally:
            server.stdin.close()
            server.wait(10)


def new_bucket() -> str:
    """The name of a bucket of its own."""
    return f"factflow-{uuid.uuid4().hex[:24]}"


@asynccontextmanager
async def fresh_s3_storage(service: S3Service, **settings: Any) -> AsyncIterator[S3ObjectStorage]:
    """An open storage in a bucket of its own, which is removed at the end."""
    bucket = new_bucket()
    try:
        async with service.storage(bucket, create_bucket=True, **settings) as storage:
            yield storage
    finally:
        await asyncio.to_thread(remove_bucket, service, bucket)


@pytest.fixture(scope="session")
def s3_storage(s3_service: S3Service) -> Iterator[S3ObjectStorage]:
    """An open storage for many tests, each of which leaves it empty: opening one costs more than most of them."""
    storage = s3_service.storage(new_bucket(), create_bucket=True)
    # A thread of its own, because an async fixture may ask for this one while its loop is running.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, storage.__aenter__()).result()
        try:
            yield storage
        finally:
            thread.submit(asyncio.run, storage.__aexit__(None, None, None)).result()
            remove_bucket(s3_service, storage.bucket)


def empty_bucket(service: S3Service, bucket: str) -> None:
    """Remove all that is in a bucket."""
    for page in service.client.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        listed = [{"Key": found["Key"]} for found in page.get("Contents", ())]
        if listed:
            service.client.delete_objects(Bucket=bucket, Delete={"Objects": listed, "Quiet": True})


def remove_bucket(service: S3Service, bucket: str) -> None:
    """Remove a bucket and all that is in it, if it is there."""
    try:
        empty_bucket(service, bucket)
        service.client.delete_bucket(Bucket=bucket)
    except service.client.exceptions.NoSuchBucket:
        return


Environment = dict[str, Any]
Application = Callable[[Environment, Callable[..., Any]], Iterable[bytes]]

MISMATCH = (
    b"<?xml version='1.0'?><Error><Code>XAmzContentSHA256Mismatch</Code>"
    b"<Message>The provided x-amz-content-sha256 or checksum does not match what was computed.</Message></Error>"
)


def faithful(application: Application) -> Application:
    """What S3 promises and moto leaves out, in front of it.

    A request is atomic (moto looks for the object of a condition in one step and stores in another), and a content that
    is not of its checksums is refused (moto believes them).
    """
    in_turn = threading.Lock()

    def answer(environment: Environment, start: Callable[..., Any]) -> Iterable[bytes]:
        length = int(environment.get("CONTENT_LENGTH") or 0)
        content = environment["wsgi.input"].read(length) if length else b""
        if not _is_of_its_checksums(environment, content):
            start(
                "400 Bad Request",
                [("Content-Type", "application/xml"), ("Content-Length", str(len(MISMATCH)))],
            )
            return [MISMATCH]
        environment["wsgi.input"] = io.BytesIO(content)
        with in_turn:
            return [b"".join(application(environment, start))]

    return answer


def _is_of_its_checksums(environment: Environment, content: bytes) -> bool:
    digest = hashlib.sha256(content)
    signed = environment.get("HTTP_X_AMZ_CONTENT_SHA256", "")
    stated = environment.get("HTTP_X_AMZ_CHECKSUM_SHA256")
    is_as_signed = len(signed) != 64 or signed == digest.hexdigest()
    return is_as_signed and stated in {None, base64.b64encode(digest.digest()).decode()}


def main() -> None:
    """Serve until the standard input ends."""
    from moto.moto_server.werkzeug_app import MotoRequestHandler, create_backend_app
    from werkzeug.serving import make_server

    # The application of this one service: to find out which is meant takes moto as long as the rest.
    application = faithful(create_backend_app("s3"))
    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=MotoRequestHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.port, flush=True)  # noqa: T201  # how whoever started it learns the port
    sys.stdin.read()


if __name__ == "__main__":
    main()
