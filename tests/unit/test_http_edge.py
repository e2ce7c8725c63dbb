"""What holds for every request: hosts, request ids, storage keys in URLs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from adapters.http.access.exchange import exchange_of
from adapters.http.access.operations import Operation
from adapters.http.correlation import REQUEST_ID, request_id, trace_of
from adapters.http.edge import Edge, is_local
from adapters.http.errors import MalformedRequest
from adapters.http.object_paths import key_of, routed
from adapters.http.settings import HttpSettings
from adapters.memory.audit_log import MemoryAuditLog
from adapters.memory.clock import ManualClock
from application.access.audit import Audit
from application.tracing import TRACE
from domain.access.audit import AuditEntry
from domain.access.scope import Scope
from domain.trace import Trace


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST:8000",
        "127.0.0.1:8000",
        "127.9.9.9",
        "[::1]:8000",
        "app.localhost",
        "me.example:1",
    ],
)
def test_names_of_this_machine_are_local(host: str) -> None:
    assert is_local(host, frozenset({"me.example"}))


@pytest.mark.parametrize(
    "host",
    [
        "",
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "10.0.0.1",
        "[::2]",
        "evil@",
        "localhost@evil.example",
        "null",
    ],
)
def test_other_names_are_not(host: str) -> None:
    assert not is_local(host, frozenset({"me.example"}))


def test_a_printable_request_id_is_kept() -> None:
    assert request_id(b"abc-1") == "abc-1"


@pytest.mark.parametrize("given", [b"", b"a b", b"a\nb", b"\xff", b"x" * 129])
def test_any_other_request_id_is_replaced(given: bytes) -> None:
    made = request_id(given)
    assert made.encode("latin-1") != given
    assert len(made) == 32


TRACE_ID, SPAN_ID = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.mark.parametrize(("flags", "kept"), [("00", "00"), ("01", "01"), ("ff", "01")])
def test_a_trace_goes_on_with_a_step_of_ours(flags: str, kept: str) -> None:
    trace = trace_of(f"00-{TRACE_ID}-{SPAN_ID}-{flags}".encode())
    assert (trace.trace_id, str(trace)[-2:]) == (TRACE_ID, kept)
    assert trace.span_id != SPAN_ID
    assert Trace.parse(str(trace)) == trace


@pytest.mark.parametrize(
    "given",
    ["", "00", f"00-{TRACE_ID}-{SPAN_ID}-01\r\nx: y", f"ff-{TRACE_ID}-{SPAN_ID}-01", f"00-{'0' * 32}-{SPAN_ID}-01",
     f"00-{TRACE_ID}-{'0' * 16}-01", f"00-{TRACE_ID.upper()}-{SPAN_ID}-01"],
)  # fmt: skip
def test_what_is_no_trace_begins_one(given: str) -> None:
    trace = trace_of(given.encode())
    assert trace.trace_id != TRACE_ID
    assert Trace.parse(str(trace)) == trace


def scope(raw: bytes, path: str = "/decoded") -> Any:
    return {"type": "http", "path": path, "raw_path": raw}


@pytest.mark.parametrize(
    ("raw", "key"),
    [
        (b"/api/v1/storage/objects/a/b.md", "a/b.md"),
        (b"/api/v1/storage/objects/a%2Fb.md?x=1", "a/b.md"),
        (b"/api/v1/storage/objects/a//b", "a//b"),
        (b"/api/v1/storage/objects/%C3%A6", "æ"),
        (b"/api/v1/storage/objects/a/metadata", "a/metadata"),
    ],
)
def test_a_key_is_the_rest_of_the_path_as_encoded(raw: bytes, key: str) -> None:
    assert key_of(scope(raw)) == key


def test_a_key_that_is_not_utf8_is_malformed() -> None:
    with pytest.raises(MalformedRequest):
        key_of(scope(b"/api/v1/storage/objects/%ff"))


def test_only_a_literal_slash_before_metadata_asks_for_metadata() -> None:
    asked = scope(b"/api/v1/storage/objects/a/metadata", "/api/v1/storage/objects/a/metadata")
    assert routed(asked)["path"] == "/api/v1/storage/metadata-of/a/metadata"
    assert key_of(routed(asked), with_suffix=True) == "a"
    encoded = scope(b"/api/v1/storage/objects/a%2Fmetadata", "/api/v1/storage/objects/a/metadata")
    assert routed(encoded) is encoded
    own = scope(b"/api/v1/storage/objects/metadata")
    assert routed(own) is own


@dataclass
class BrokenAuditLog(MemoryAuditLog):
    """A log whose driver raises what nobody expects."""

    async def append(self, entries: Sequence[AuditEntry]) -> None:
        raise LookupError("no such table")


async def test_a_request_that_cannot_be_audited_leaves_nothing_behind() -> None:
    """Neither its ids in the task that answered it, nor what is kept with it: both would hold on to the request."""

    async def gone(scope: Any, _: Any, __: Any) -> None:
        exchange_of(scope).operation = Operation(name="create_config", scope=Scope.parse("configs:write"))

    async def unused(*_: Any) -> Any:
        pytest.fail("nobody is there to be asked or answered")

    edge = Edge(gone, HttpSettings(), Audit(log=BrokenAuditLog(), clock=ManualClock()))
    asked: Any = {**scope(b"/x", "/x"), "method": "POST", "query_string": b"", "headers": [], "state": {}}
    before = REQUEST_ID.get(), TRACE.get()
    with pytest.raises(LookupError):
        await edge(asked, unused, unused)
    assert (REQUEST_ID.get(), TRACE.get()) == before
    assert asked["state"] == {}
