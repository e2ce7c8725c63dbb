"""Log lines for programs."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from collections.abc import Iterator

import pytest

from application.ports.pipeline_adapter import AdapterResult, Emission, PipelineContext
from application.tracing import TRACE
from domain.trace import Trace
from entrypoints.logs import MessageFilter, PoolFilter, TraceFilter, configure_logging, json_formatter
from entrypoints.settings import Settings
from tests.unit.engines import bench, route


@pytest.fixture
def logging_as_it_was() -> Iterator[None]:
    """What a test sets up is taken back."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def line(**fields: object) -> dict[str, object]:
    """What a record becomes."""
    record = logging.makeLogRecord(
        {
            "name": "factflow",
            "levelno": logging.WARNING,
            "levelname": "WARNING",
            "msg": "%s is %d",
            "args": ("a", 1),
        }
        | fields
    )
    text = json_formatter().format(record)
    assert "\n" not in text
    told: dict[str, object] = json.loads(text)
    return told


def test_a_line_has_time_level_logger_and_message_first() -> None:
    """And nothing that is empty."""
    told = line(correlation_id="", secret="hidden")
    assert list(told) == ["time", "level", "logger", "message"]
    assert (told["level"], told["logger"], told["message"]) == ("warning", "factflow", "a is 1")
    assert str(told["time"]).endswith("Z")


def test_a_line_says_where_it_belongs() -> None:
    """The request or the message, and the execution."""
    told = line(correlation_id="abc", execution_id="def", route_id="read")
    assert (told["correlation_id"], told["execution_id"], told["route_id"]) == ("abc", "def", "read")


def test_a_line_says_which_trace_its_request_belongs_to() -> None:
    """By the id that `traceparent` has; outside of a request there is none."""
    trace = Trace(trace_id="ab" * 16, span_id="cd" * 8)
    record = logging.makeLogRecord({"msg": "in a request"})
    token = TRACE.set(trace)
    try:
        assert TraceFilter().filter(record)
    finally:
        TRACE.reset(token)
    assert json.loads(json_formatter().format(record))["trace_id"] == "ab" * 16
    outside = logging.makeLogRecord({"msg": "elsewhere"})
    assert TraceFilter().filter(outside)
    assert "trace_id" not in line()
    assert not hasattr(outside, "trace_id")


def test_a_traceback_is_part_of_its_line() -> None:
    """Not lines of its own."""
    try:
        raise ValueError("broken\nin two")
    except ValueError:
        told = line(exc_info=sys.exc_info())
    assert "ValueError: broken" in str(told["traceback"])
    assert "exception" not in told


@pytest.mark.parametrize("message", ["plain", "two\nlines", "\x1b[31mred", "\ud800", "ünï 😀"])
def test_whatever_is_logged_is_one_line_of_json(message: str) -> None:
    """Hostile texts too."""
    told = line(msg=message, args=())
    assert isinstance(told["message"], str)


def test_a_pool_that_has_lost_its_database_says_so_once_a_minute(
    capsys: pytest.CaptureFixture[str], logging_as_it_was: None
) -> None:
    """Not once for each connection and try; other things, and what others say, are not held back."""
    configure_logging(Settings())
    pool = logging.getLogger("psycopg.pool")
    for number in range(20):
        pool.warning("error connecting in %r: %s", "factflow", f"refused, for the {number}th time")
    pool.warning("discarding broken connection: %s", "that one")
    for _ in range(2):
        logging.getLogger("application").warning("the database is away")
    said = capsys.readouterr().err.splitlines()
    assert [line.partition(": ")[2] for line in said] == [
        "error connecting in 'factflow': refused, for the 0th time",
        "discarding broken connection: that one",
        *["the database is away"] * 2,
    ]
    quiet = PoolFilter()
    again = [
        quiet.filter(logging.makeLogRecord({"name": "psycopg.pool", "created": at})) for at in (0, 59, 60)
    ]
    assert again == [True, False, True]


async def test_what_a_pipeline_adapter_logs_says_which_message_it_was_about(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Also when several are at work at once; what is logged elsewhere says nothing of them."""
    caplog.handler.addFilter(MessageFilter())

    async def tell(context: PipelineContext) -> AdapterResult:
        await asyncio.sleep(0)
        logging.getLogger("plugin").warning("%s", context.correlation_id)
        return AdapterResult(message=context.message)

    async def split(context: PipelineContext) -> AdapterResult:
        return AdapterResult(message=context.message, emitted=[Emission(payload={"n": n}) for n in range(5)])

    async with bench({"split": split, "tell": tell}) as on:
        execution = await on.run(route("split", "split", to="tell"), route("tell", "tell"))
    logging.getLogger("plugin").warning("nobody's")
    told = [record for record in caplog.records if record.name == "plugin"]
    assert len(told) == 6
    for record in told[:-1]:
        assert vars(record)["correlation_id"] == record.getMessage()
        assert vars(record)["execution_id"] == str(execution.id)
        assert (vars(record)["route_id"], vars(record)["adapter_name"]) == ("tell", "tell")
    assert len({record.getMessage() for record in told}) == 6
    assert "execution_id" not in vars(told[-1])
