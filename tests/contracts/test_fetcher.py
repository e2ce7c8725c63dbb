"""What every ``Fetcher`` does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import pytest

from adapters.http_client.fetcher import HttpFetcher
from adapters.memory.fetcher import MemoryFetcher
from application.ports.fetcher import Fetched, Fetcher, FetchFailed
from domain.outbound import DestinationRefused, InvalidUrl, OutboundPolicy, networks

POLICY = OutboundPolicy(allowed_networks=networks("127.0.0.0/8"), is_http_allowed=True)
RAW = {
    "/page": b"HTTP/1.1 200 OK\r\nContent-Type: Text/HTML; charset=utf-8\r\nContent-Length: 5\r\n\r\n<p>a ",
    "/moved": b"HTTP/1.1 301 Moved\r\nLocation: page?a=1\r\nContent-Length: 0\r\n\r\n",
    "/long": b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 100000\r\n\r\n"
    + b"x" * 100_000,
    "/none": b"",
    "/nonsense": b"this is no HTTP\r\n\r\n",
    "/packed": b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx",
}
MISSING = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Given:
    """A fetcher, and the address of a path of a web server."""

    fetcher: Fetcher
    url: Callable[[str], str]

    async def fetched(self, path: str, max_bytes: int = 1000) -> Fetched:
        """What comes of a request."""
        return await self.fetcher.fetch(self.url(path), max_bytes=max_bytes, timeout_seconds=5)


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    writer.write(RAW.get(head.split(b" ")[1].decode(), MISSING))
    writer.close()


@pytest.fixture(params=["memory", "http"])
async def given(request: pytest.FixtureRequest) -> AsyncIterator[Given]:
    """Each implementation there is."""
    if request.param == "memory":
        base = "http://127.0.0.1"
        pages = {
            "/page": Fetched(status=200, content_type="text/html", content=b"<p>a "),
            "/moved": Fetched(status=301, location=f"{base}/page?a=1"),
            "/long": Fetched(status=200, content_type="text/plain", content=b"x" * 100_000),
            "/none": None,
            "/nonsense": None,
            "/packed": None,
        }
        fetcher = MemoryFetcher({base + path: page for path, page in pages.items()}, POLICY)
        yield Given(fetcher, lambda path: base + path)
        return
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, HttpFetcher(POLICY) as opened:
        yield Given(opened, lambda path: f"http://127.0.0.1:{port}{path}")


async def test_a_page_is_told_with_its_type(given: Given) -> None:
    """In small letters, without parameters; every status is an answer."""
    page = await given.fetched("/page")
    assert page == Fetched(status=200, content_type="text/html", content=b"<p>a ")
    assert (await given.fetched("/missing")).status == 404


async def test_a_redirect_is_told_and_not_followed(given: Given) -> None:
    """As an absolute address."""
    moved = await given.fetched("/moved")
    assert (moved.status, moved.location) == (301, given.url("/page?a=1"))


async def test_no_more_is_read_than_was_asked_for(given: Given) -> None:
    """And it is said that there was more."""
    long = await given.fetched("/long", max_bytes=10)
    assert (long.content, long.is_truncated) == (b"x" * 10, True)
    whole = await given.fetched("/long", max_bytes=100_000)
    assert (len(whole.content), whole.is_truncated) == (100_000, False)


@pytest.mark.parametrize("path", ["/none", "/nonsense", "/packed"])
async def test_what_cannot_be_used_is_an_error(given: Given, path: str) -> None:
    """No answer, no HTTP, or something packed that nobody asked for."""
    with pytest.raises(FetchFailed):
        await given.fetched(path)


async def test_nothing_inside_is_asked(given: Given) -> None:
    """Neither by its address nor in a form that could be read otherwise."""
    for url, error in (
        ("http://10.0.0.1/", DestinationRefused),
        ("http://169.254.169.254/latest/meta-data", DestinationRefused),
        ("http://2130706433/", InvalidUrl),
        ("file:///etc/passwd", InvalidUrl),
    ):
        with pytest.raises(error):
            given.fetcher.examine(url)
        with pytest.raises(error):
            await given.fetcher.fetch(url, max_bytes=1, timeout_seconds=1)


async def test_a_name_that_leads_inside_is_refused() -> None:
    """Where it leads is judged when it is connected to."""

    async def inside(_: str) -> list[object]:
        return [*networks("10.0.0.1/32")[0]]

    async with HttpFetcher(OutboundPolicy(), lookup=inside) as fetcher:  # type: ignore[arg-type]
        with pytest.raises(DestinationRefused):
            await fetcher.fetch("https://example.org/", max_bytes=1, timeout_seconds=5)
