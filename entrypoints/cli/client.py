"""Talks to a server over HTTP, and turns everything it can answer into a value or one of our errors."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any, Self
from urllib.parse import quote

from domain.errors import Invalid, Unavailable
from entrypoints.cli.problems import problem_error
from entrypoints.cli.sse import ServerSentEvent, events_of

if TYPE_CHECKING:
    import aiohttp

BASE = "/api/v1"
CONNECT_SECONDS = 10.0
ALIVE_SECONDS = 90.0
Query = Mapping[str, "str | int | bool | None"]


class NoServer(Unavailable):
    """No server answers."""

    code = "no_server"


class NoAnswerInTime(NoServer):
    """The server has not answered yet; what it was asked to do may go on."""


class NotFactflow(Unavailable):
    """What answers there is not a factflow server."""

    code = "not_a_factflow_server"


@dataclass(frozen=True, slots=True)
class Reply:
    """A successful answer: its very bytes, and its JSON as a value."""

    body: bytes
    url: str

    def value(self) -> dict[str, Any]:
        """The JSON object; raises NotFactflow for anything else."""
        try:
            value = json.loads(self.body)
        except ValueError:
            value = None
        if not isinstance(value, dict):
            raise NotFactflow(f"what answers at {self.url} is not a factflow server")
        return value

    def items(self, name: str) -> list[dict[str, Any]]:
        """The objects of a list's member; raises NotFactflow when there is no such list."""
        items = self.value().get(name)
        if not isinstance(items, list):
            raise NotFactflow(f"the answer of {self.url} has no {name}: is the server of another version?")
        return [item for item in items if isinstance(item, dict)]


class Server:
    """One server, while ``async with`` lasts. Every method raises Unavailable when it cannot be reached."""

    def __init__(self, url: str, *, api_key: str | None = None, timeout_seconds: float = 60.0) -> None:
        self.url = url.rstrip("/")
        self._api_key = api_key
        self.timeout_seconds = timeout_seconds
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        import aiohttp

        headers = {"Accept": "application/json, text/event-stream, */*"}
        if self._api_key:
            headers["Authorization"] = f"Bearer {self._api_key}"
        self._session = aiohttp.ClientSession(headers=headers)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def get(self, *path: str, query: Query | None = None) -> Reply:
        """What is there."""
        return await self.send("GET", *path, query=query)

    async def post(self, *path: str, query: Query | None = None, body: object = None) -> Reply:
        """Create or do something."""
        return await self.send("POST", *path, query=query, body=body)

    async def send(self, method: str, *path: str, query: Query | None = None, body: object = None) -> Reply:
        """Any request with a JSON body."""
        content = None if body is None else _encoded(body)
        headers = {} if content is None else {"Content-Type": "application/json"}
        async with self._asking(method, *path, query=query, content=content, headers=headers) as response:
            answer = await response.read()
            if response.status >= 400:
                raise problem_error(response.status, answer, self.url)
            return Reply(answer, self.url)

    async def upload(self, *path: str, content: IO[bytes], content_type: str) -> Reply:
        """Put a file there; it may take as long as bytes move."""
        headers = {"Content-Type": content_type}
        async with self._asking("PUT", *path, content=content, headers=headers, endless=True) as response:
            answer = await response.read()
            if response.status >= 400:
                raise problem_error(response.status, answer, self.url)
            return Reply(answer, self.url)

    @asynccontextmanager
    async def download(
        self, *path: str, query: Query | None = None, start: int = 0
    ) -> AsyncIterator[tuple[str, AsyncIterator[bytes]]]:
        """The content type of what is there, and its bytes from `start` on; it may take as long as bytes move."""
        headers = {"Range": f"bytes={start}-"} if start else {}
        async with self._asking("GET", *path, query=query, headers=headers, endless=True) as response:
            if response.status >= 400:
                raise problem_error(response.status, await response.read(), self.url)
            if start and response.status != 206:
                raise NotFactflow(f"what answers at {self.url} cannot go on with a download")
            yield response.content_type, self._chunks(response)

    @asynccontextmanager
    async def events(
        self, method: str, *path: str, query: Query | None = None, body: object = None
    ) -> AsyncIterator[AsyncIterator[ServerSentEvent]]:
        """The server-sent events that a request is answered with; it may take as long as events come."""
        content = None if body is None else _encoded(body)
        headers = {"Accept": "text/event-stream"} | (
            {} if content is None else {"Content-Type": "application/json"}
        )
        async with self._asking(
            method, *path, query=query, content=content, headers=headers, endless=True
        ) as response:
            if response.status >= 400:
                raise problem_error(response.status, await response.read(), self.url)
            if response.content_type != "text/event-stream":
                raise NotFactflow(f"what answers at {self.url} sends no events but {response.content_type}")
            yield events_of(self._chunks(response))

    @asynccontextmanager
    async def _asking(
        self,
        method: str,
        *path: str,
        query: Query | None = None,
        content: bytes | IO[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
        endless: bool = False,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        import aiohttp

        if self._session is None:
            raise NoServer("the client is not open")
        patience = aiohttp.ClientTimeout(
            total=None if endless else self.timeout_seconds,
            sock_connect=min(CONNECT_SECONDS, self.timeout_seconds),
            sock_read=max(ALIVE_SECONDS, self.timeout_seconds) if endless else None,
        )
        with self._translating():
            async with self._session.request(
                method,
                self.url + address(*path),
                params=_stated(query),
                data=content,
                headers=headers,
                timeout=patience,
                allow_redirects=False,
            ) as response:
                self._refuse_redirect(response)
                yield response

    async def _chunks(self, response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
        with self._translating():
            async for chunk in response.content.iter_any():
                yield chunk

    def _refuse_redirect(self, response: aiohttp.ClientResponse) -> None:
        if 300 <= response.status < 400:
            aim = response.headers.get("Location", "elsewhere")
            error = NotFactflow(f"{self.url} redirects to {aim}")
            error.add_note("name that address with --url, and the key will be sent there")
            raise error

    @contextmanager
    def _translating(self) -> Iterator[None]:
        """Turn what aiohttp raises into our errors."""
        import aiohttp

        try:
            yield
        except aiohttp.InvalidURL as error:
            raise Invalid(f"{self.url} is not an address") from error
        except aiohttp.ClientSSLError as error:
            raise NoServer(f"no secure connection to {self.url}: {error}") from error
        except aiohttp.ClientConnectorDNSError as error:
            raise NoServer(f"no host of that name: {self.url}") from error
        except aiohttp.ClientConnectorError as error:
            raise no_server(self.url) from error
        except TimeoutError as error:
            late = NoAnswerInTime(f"{self.url} did not answer within {self.timeout_seconds:g} seconds")
            late.add_note("--timeout 10m before the command waits longer")
            raise late from error
        except aiohttp.ClientResponseError as error:
            raise NotFactflow(
                f"what answers at {self.url} does not speak HTTP as a factflow server does"
            ) from error
        except aiohttp.ClientPayloadError as error:
            raise NoServer(
                f"the connection to {self.url} broke off before the answer was complete"
            ) from error
        except (aiohttp.ClientError, ConnectionError) as error:
            raise NoServer(
                f"the connection to {self.url} broke off: {str(error) or type(error).__name__}"
            ) from error


def no_server(url: str) -> NoServer:
    """Nobody listens there; says how to start a server."""
    error = NoServer(f"no server answers at {url}; start one with `make serve`")
    error.add_note("--url or FACTFLOW_URL names another server")
    return error


def address(*path: str) -> str:
    """The path of a request; a part is escaped, and one that would lead elsewhere is refused with Invalid."""
    for part in path:
        if part in {"", ".", ".."} or any(piece in {".", ".."} for piece in part.split("/")):
            raise Invalid(f"{part!r} names nothing")
    try:
        return BASE + "".join("/" + _escaped(part) for part in path)
    except UnicodeEncodeError as error:
        raise Invalid("the arguments have characters that are not valid text") from error


def _escaped(part: str) -> str:
    """A slash in a key stays one, but for the last of `…/metadata`, which would ask for another thing."""
    escaped = quote(part)
    return escaped.removesuffix("/metadata") + "%2Fmetadata" if escaped.endswith("/metadata") else escaped


def _encoded(body: object) -> bytes:
    try:
        return json.dumps(body, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise Invalid("the arguments have characters that are not valid text") from error


def _stated(query: Query | None) -> dict[str, str] | None:
    """The query without what is None; booleans as the API writes them."""
    if query is None:
        return None
    return {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in query.items()
        if value is not None
    }
