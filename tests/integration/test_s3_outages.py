"""What the S3 storage says and does when the server, the line or the rights are not as they should be."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from adapters.s3.bucket import Bucket
from adapters.s3.connection import Connection
from adapters.s3.storage import S3ObjectStorage
from adapters.s3.translation import S3BucketMissing, S3Refused, S3Unavailable, translating
from application.ports.object_storage import ObjectStorage
from application.ports.readiness import Health
from domain.errors import FactflowError
from domain.json import JsonObject
from entrypoints.composition import choosing
from entrypoints.data_folder import DataFolder
from entrypoints.settings import Settings
from tests.s3_service import S3Service, fresh_s3_storage, new_bucket, remove_bucket, s3_service

__all__ = ["s3_service"]

pytestmark = pytest.mark.slow

MIB = 1 << 20
QUICK: dict[str, Any] = {"attempts": 1, "connect_timeout": 0.5, "read_timeout": 0.5}
LONG: JsonObject = {"title": "x" * 3_000}


@dataclass(slots=True, kw_only=True)
class Line:
    """Forwards connections to a server over TCP, and disturbs them.

    ``change_request`` and ``change_answer`` make of a piece what is forwarded. The next ``cuts`` connections are cut
    after ``cut_after`` bytes of the answer; at the next request with ``lost_answer`` in it the answer is not forwarded
    but everything cut when it comes. While ``is_mute`` nothing is forwarded.
    """

    host: str
    port: int
    cuts: int = 0
    cut_after: int = 0
    lost_answer: bytes | None = None
    is_mute: bool = False
    change_request: Callable[[bytes], bytes] = bytes
    change_answer: Callable[[bytes], bytes] = bytes
    seen: bytearray = field(default_factory=bytearray)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        there_reader, there_writer = await asyncio.open_connection(self.host, self.port)
        try:
            await asyncio.wait(
                {
                    asyncio.create_task(self._requests(reader, there_writer)),
                    asyncio.create_task(self._answers(there_reader, writer)),
                },
                return_when=asyncio.FIRST_COMPLETED,
            )
        finally:
            for end in (writer, there_writer):
                end.transport.abort()

    async def _requests(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while piece := await reader.read(1 << 16):
                self.seen += piece
                if not self.is_mute:
                    writer.write(self.change_request(piece))
                    await writer.drain()

    async def _answers(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        room = None
        with suppress(OSError):
            while piece := await reader.read(1 << 16):
                if self.lost_answer is not None and self.lost_answer in self.seen:
                    self.lost_answer = None
                    return
                if room is None and self.cuts and len(piece) > self.cut_after:
                    self.cuts -= 1
                    room = self.cut_after
                writer.write(self.change_answer(piece)[:room])
                await writer.drain()
                if room is not None:
                    await asyncio.sleep(0)
                    return

    async def closed(self) -> None:
        """Cut everything."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@asynccontextmanager
async def line_to(service: S3Service) -> AsyncIterator[tuple[Line, S3Service]]:
    """A line to the server, and the server as it is at the end of it."""
    address = urlsplit(service.url)
    line = Line(host=address.hostname or "", port=address.port or 80)
    server = await asyncio.start_server(line.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield line, replace(service, url=f"http://127.0.0.1:{port}")
    finally:
        server.close()
        await line.closed()


@pytest.fixture
async def kept(s3_service: S3Service) -> AsyncIterator[S3ObjectStorage]:
    """A storage on the server itself, which outlives all disturbances."""
    async with fresh_s3_storage(s3_service) as opened:
        yield opened


async def every_method(storage: S3ObjectStorage, error: type[FactflowError]) -> None:
    """Each of them raises the error."""

    async def pieces() -> AsyncIterator[bytes]:
        yield b"x" * (9 * MIB)

    with pytest.raises(error):
        await storage.write("a.txt", b"x")
    with pytest.raises(error):
        await storage.write("a.txt", b"x", if_absent=True)
    with pytest.raises(error):
        await storage.write("a.txt", pieces())
    with pytest.raises(error):
        await storage.read("a.txt")
    with pytest.raises(error):
        await storage.fetch("a.txt")
    with pytest.raises(error):
        await anext(storage.stream("a.txt"))
    with pytest.raises(error):
        await anext(storage.stream("a.txt", start=5, end=5))
    with pytest.raises(error):
        await storage.head("a.txt")
    with pytest.raises(error):
        await anext(storage.list())
    with pytest.raises(error):
        await storage.delete("a.txt")


async def test_a_server_that_goes_away_is_unavailable(kept: S3ObjectStorage, s3_service: S3Service) -> None:
    """For every method, and for whoever asks for its health; when it is back, so is the storage."""
    async with line_to(s3_service) as (line, service), service.storage(kept.bucket, **QUICK) as storage:
        assert (await storage.check()).health is Health.HEALTHY
        there, line.port = line.port, 1
        await every_method(storage, S3Unavailable)
        answer = await storage.check()
        assert (answer.health, bool(answer.message)) == (Health.UNHEALTHY, True)
        line.port = there
        await storage.write("a.txt", b"x")
        assert (await storage.check()).health is Health.HEALTHY


async def test_a_server_that_says_nothing_is_unavailable_in_time(
    kept: S3ObjectStorage, s3_service: S3Service
) -> None:
    async with line_to(s3_service) as (line, service), service.storage(kept.bucket, **QUICK) as storage:
        line.is_mute = True
        began = time.monotonic()
        with pytest.raises(S3Unavailable):
            await storage.read("a.txt")
        assert (await storage.check()).health is Health.UNHEALTHY
        assert time.monotonic() - began < 5


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://s3.invalid"])
async def test_a_wrong_address_is_unavailable(url: str) -> None:
    with pytest.raises(S3Unavailable, match="did not answer"):
        async with S3Service(url, "a", "b").storage("bucket", **QUICK):
            pass


@pytest.mark.parametrize(("bucket", "url"), [("bucket", "no address"), ("NO/BUCKET", "http://127.0.0.1:1")])
async def test_an_address_or_bucket_that_cannot_be_is_refused(bucket: str, url: str) -> None:
    with pytest.raises(S3Refused, match="cannot be made"):
        async with S3Service(url, "a", "b").storage(bucket, **QUICK):
            pass


async def test_a_key_without_its_secret_is_refused() -> None:
    """Rather than replaced by another that is found somewhere."""
    with pytest.raises(S3Refused):
        async with S3ObjectStorage("bucket", endpoint_url="http://127.0.0.1:1", access_key="a"):
            pass


@pytest.mark.parametrize(
    ("endpoint", "path_style", "address"),
    [
        (None, None, "https://bucket.s3.amazonaws.com/key"),
        (None, True, "https://s3.eu-west-1.amazonaws.com/bucket/key"),
        ("http://given:1", None, "http://given:1/bucket/key"),
        ("http://given:1", False, "http://bucket.given:1/key"),
        ("", None, "http://environment:2/bucket/key"),
    ],
)
def test_the_bucket_is_in_the_host_on_aws_and_in_the_path_elsewhere(
    endpoint: str | None, path_style: bool | None, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unless it is said otherwise."""
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    if endpoint == "":
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://environment:2")
    connection = Connection(
        endpoint_url=endpoint or None,
        region="eu-west-1",
        access_key="a",
        secret_key="b",
        path_style=path_style,
        connections=1,
        attempts=1,
        connect_timeout=1,
        read_timeout=1,
    )
    for client in connection.clients():
        signed = client.generate_presigned_url("get_object", Params={"Bucket": "bucket", "Key": "key"})
        assert signed.split("?")[0] == address
        client.close()


async def test_a_server_that_speaks_something_else_is_not_believed() -> None:
    """Whatever it answers, it is one of our errors."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, OSError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nConnection: close\r\n\r\n<html>no<")
            await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises((S3Unavailable, S3Refused)):
            async with S3Service(f"http://127.0.0.1:{port}", "a", "b").storage("bucket", **QUICK) as storage:
                await anext(storage.list())


async def test_a_missing_bucket_is_said(s3_service: S3Service) -> None:
    """When the storage is opened, and when it is removed later."""
    with pytest.raises(S3BucketMissing, match="factflow-"):
        async with s3_service.storage(new_bucket()):
            pass
    async with fresh_s3_storage(s3_service) as storage:
        s3_service.client.delete_object(Bucket=storage.bucket, Key=".factflow-conditional-writes.meta.json")
        s3_service.client.delete_bucket(Bucket=storage.bucket)
        await every_method(storage, S3BucketMissing)
        assert (await storage.check()).health is Health.UNHEALTHY


async def test_what_the_key_may_not_do_is_refused(kept: S3ObjectStorage, s3_service: S3Service) -> None:
    """And the message says what to check."""
    if not s3_service.is_moto:
        with pytest.raises(S3Refused, match="access key"):
            async with s3_service.storage(kept.bucket, secret_key="another secret"):
                pass
        return
    # It verifies no signatures, but obeys policies.
    statement = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": ["s3:PutObject", "s3:GetObject"],
        "Resource": f"arn:aws:s3:::{kept.bucket}/*",
    }
    await kept.write("a.txt", b"x")
    s3_service.client.put_bucket_policy(
        Bucket=kept.bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    )
    with pytest.raises(S3Refused, match="access key"):
        await kept.write("a.txt", b"x")
    with pytest.raises(S3Refused, match="refuses GetObject"):
        await kept.read("a.txt")
    s3_service.client.delete_bucket_policy(Bucket=kept.bucket)


async def test_a_server_that_lists_out_of_order_loses_no_object(
    kept: S3ObjectStorage, s3_service: S3Service, caplog: pytest.LogCaptureFixture
) -> None:
    """It is said in the log, since a list that begins after a key may still miss some."""
    names = [f"{number:03}.txt" for number in range(40)]
    await asyncio.gather(*(kept.write(name, b"x") for name in names))
    swapped = {b"<Key>000.": b"<Key>030.", b"<Key>030.": b"<Key>000."}
    async with line_to(s3_service) as (line, service), service.storage(kept.bucket, **QUICK) as storage:
        line.change_answer = lambda piece: re.sub(
            b"<Key>0[03]0\\.", lambda found: swapped[found.group()], piece
        )
        assert sorted([stored.key async for stored in storage.list()]) == names
    assert "does not list keys in their order" in caplog.text


async def test_a_download_goes_on_after_the_line_was_cut(
    kept: S3ObjectStorage, s3_service: S3Service
) -> None:
    """Where it was; when it is cut again and again without a byte it is unavailable."""
    whole = bytes(range(250)) * 12_000
    await kept.write("a.bin", whole)
    async with line_to(s3_service) as (line, service), service.storage(kept.bucket, **QUICK) as storage:
        line.cuts, line.cut_after = 3, 40_000
        assert b"".join([chunk async for chunk in storage.stream("a.bin")]) == whole
        assert line.cuts == 0
        line.cuts = 1
        assert await storage.read("a.bin") == whole
        line.cuts, line.cut_after = 100, 10
        with pytest.raises(S3Unavailable):
            await storage.read("a.bin")


async def test_a_download_never_mixes_two_objects(kept: S3ObjectStorage, s3_service: S3Service) -> None:
    """One that was cut off and replaced meanwhile cannot go on."""
    await kept.write("a.bin", b"1" * (16 * MIB))
    async with line_to(s3_service) as (line, service), service.storage(kept.bucket, **QUICK) as storage:
        stream = storage.stream("a.bin")
        assert await anext(stream) == b"1" * MIB
        await kept.write("a.bin", b"2" * (16 * MIB))
        await line.closed()
        with pytest.raises(S3Unavailable, match="replaced"):
            assert [chunk async for chunk in stream] != []


async def test_an_upload_that_was_changed_on_the_way_is_not_stored(
    kept: S3ObjectStorage, s3_service: S3Service
) -> None:
    """The server compares it with its checksum."""
    async with line_to(s3_service) as (line, service), service.storage(kept.bucket, **QUICK) as storage:
        line.change_request = lambda piece: piece.replace(b"right", b"wrong")
        with pytest.raises(S3Unavailable):
            await storage.write("a.txt", b"all is right")
        assert b"x-amz-checksum-sha256" in line.seen.lower()
        assert [stored async for stored in kept.list()] == []


async def test_without_checksum_headers_the_signature_covers_the_content(
    kept: S3ObjectStorage, s3_service: S3Service
) -> None:
    """Whole and in parts."""
    settings = {**QUICK, "checksum_headers": False, "multipart_threshold": 5 * MIB}
    async with line_to(s3_service) as (line, service), service.storage(kept.bucket, **settings) as storage:
        line.seen.clear()
        whole = b"right" * (2 * MIB)
        await storage.write("large.bin", whole)
        assert await storage.read("large.bin") == whole
        await storage.write("a.txt", b"all is right")
        assert b"x-amz-checksum" not in line.seen.lower()
        line.change_request = lambda piece: piece.replace(b"all is right", b"all is wrong")
        with pytest.raises(S3Unavailable):
            await storage.write("a.txt", b"all is right")
        assert await kept.read("a.txt") == b"all is right"


@pytest.mark.parametrize("metadata", [{"by": 1}, LONG], ids=["short", "long"])
@pytest.mark.parametrize("size", [10, 6 * MIB], ids=["whole", "in parts"])
@pytest.mark.parametrize("repeated", ["as it is", "412"])
async def test_a_write_whose_answer_is_lost_is_known_by_its_next_attempt(
    kept: S3ObjectStorage, s3_service: S3Service, size: int, metadata: JsonObject, repeated: str
) -> None:
    """Whether it came whole or in parts, and wherever it is described: the object is its own.

    To a repeated completion some servers say what they said before or that there is no such upload, others that there
    is an object.
    """
    repetitions = list[bytes]()

    async def pieces() -> AsyncIterator[bytes]:
        yield b"y" * size

    def answered(piece: bytes) -> bytes:
        if line.lost_answer is None and not repetitions:
            if repeated == "412":
                piece = re.sub(rb"HTTP/1\.1 [2-5][^\r]*", b"HTTP/1.1 412 Precondition Failed", piece)
            repetitions.extend(re.findall(rb"HTTP/1\.1 ([2-5][0-9]+)", piece))
        return piece

    settings = {"attempts": 2, "multipart_threshold": 5 * MIB, "part_size": 5 * MIB}
    async with line_to(s3_service) as (line, service), service.storage(kept.bucket, **settings) as storage:
        line.seen.clear()
        line.lost_answer = b"y" * 10 if size == 10 else b"</CompleteMultipartUpload>"
        line.change_answer = answered
        written = await storage.write("a.bin", pieces(), metadata=metadata, if_absent=True)
        assert not line.lost_answer
        assert repetitions == [b"412"] or (size > 10 and repeated != "412")
        assert await kept.head("a.bin") == written
        assert (written.size, written.metadata) == (size, metadata)
        assert "Uploads" not in s3_service.client.list_multipart_uploads(Bucket=kept.bucket)


async def test_what_the_settings_say_of_a_bucket_reaches_its_server(
    s3_service: S3Service, tmp_path: Path
) -> None:
    """It is made if it is to be, and gets no header that it would refuse."""
    bucket = new_bucket()
    try:
        async with line_to(s3_service) as (line, service):
            said = {
                "FACTFLOW_STORAGE_URL": f"s3://{bucket}/objects",
                "FACTFLOW_STORAGE_ENDPOINT": service.url,
                "FACTFLOW_STORAGE_REGION": "us-east-1",
                "FACTFLOW_STORAGE_ACCESS_KEY": service.access_key,
                "FACTFLOW_STORAGE_SECRET_KEY": service.secret_key,
            }
            folder = DataFolder(tmp_path)
            with pytest.raises(S3BucketMissing):
                async with opened(choosing.storage(Settings.read(said), folder)):
                    pass
            line.seen.clear()
            said |= {"FACTFLOW_STORAGE_CREATE_BUCKET": "1", "FACTFLOW_STORAGE_CHECKSUM_HEADERS": "0"}
            async with opened(choosing.storage(Settings.read(said), folder)) as storage:
                await storage.write("a.txt", b"x")
            assert b"x-amz-checksum" not in line.seen.lower()
            line.seen.clear()
            del said["FACTFLOW_STORAGE_CHECKSUM_HEADERS"]
            async with opened(choosing.storage(Settings.read(said), folder)) as storage:
                assert await storage.read("a.txt") == b"x"
            assert b"x-amz-checksum-sha256" in line.seen.lower()
    finally:
        remove_bucket(s3_service, bucket)


def opened(storage: ObjectStorage) -> S3ObjectStorage:
    """The storage, which is that of a bucket."""
    assert isinstance(storage, S3ObjectStorage)
    return storage


@pytest.mark.parametrize("code", ["BucketAlreadyOwnedByYou", "BucketAlreadyExists"])
def test_a_bucket_that_another_process_has_made_meanwhile_is_taken(s3_service: S3Service, code: str) -> None:
    """Unless it is somebody else's."""
    import boto3.session
    from botocore.stub import Stubber

    session = boto3.session.Session(aws_access_key_id="a", aws_secret_access_key="b")
    client = session.client("s3", endpoint_url=s3_service.url, region_name="us-east-1")
    bucket = Bucket(client, "bucket", checksum_headers=True)
    with Stubber(client) as stubber:
        stubber.add_client_error("create_bucket", code, http_status_code=409)
        stubber.add_response("head_bucket", {})
        bucket.create()
        stubber.add_client_error("create_bucket", code, http_status_code=409)
        stubber.add_client_error("head_bucket", "403", http_status_code=403)
        with pytest.raises(S3Refused), translating():
            bucket.create()
    bucket.close()


@pytest.mark.parametrize("answer", ["501", "ignored"])
async def test_without_conditions_the_server_is_asked_beforehand(
    kept: S3ObjectStorage, s3_service: S3Service, answer: str
) -> None:
    """So an object that is there stays all the same, though of two writers at once the later may win."""
    if not s3_service.is_moto:
        pytest.skip("the server verifies signatures, so the condition cannot be taken out of a request")
    async with line_to(s3_service) as (line, service):
        line.change_request = lambda piece: piece.replace(b"If-None-Match", b"If-Nobody-Had")
        if answer == "501":
            line.change_request = bytes
            line.change_answer = lambda piece: piece.replace(
                b"412 PRECONDITION FAILED", b"501 NOT IMPLEMENTED"
            )
        async with service.storage(kept.bucket) as storage:
            first = await storage.write("a.txt", b"first", metadata={"by": 1}, if_absent=True)
            assert await storage.write("a.txt", b"second", metadata=LONG, if_absent=True) == first
            assert await storage.read("a.txt") == b"first"
            assert storage._objects.bucket.is_conditional is False


async def test_a_storage_that_is_closed_is_unavailable(kept: S3ObjectStorage, s3_service: S3Service) -> None:
    """As one that was never opened is; it can be opened again."""
    storage = s3_service.storage(kept.bucket)
    await every_method(storage, S3Unavailable)
    async with storage:
        await storage.write("a.txt", b"x")
    await every_method(storage, S3Unavailable)
    assert (await storage.check()).health is Health.UNHEALTHY
    async with storage:
        assert await storage.read("a.txt") == b"x"
