"""Where messages go: outbound queues, conditions and fan-out, as YAML says and the engine does."""

from __future__ import annotations

import pytest

from adapters.yaml.parser import YamlConfigParser
from application.ports.pipeline_adapter import AdapterResult, Emission, PipelineContext
from domain.execution import ExecutionStatus
from domain.json import JsonObject
from domain.validation import validate
from tests.unit.engines import Act, ended_well
from tests.unit.yaml_pipelines import Seen, emitting, run

SIEVE = """
version: "1.0"
routes:
  start:
    inbound: {queue: start}
    adapters: [{type: emit}]
    outbound:
      - queue: sieved
        condition: {field: "FIELD", operator: OPERATOR, value: VALUE}
      - all
  sieved:
    inbound: {queue: sieved}
    adapters: [{type: see}]
  all:
    inbound: {queue: all}
    adapters:
      - type: mark
        condition: {field: "FIELD", operator: OPERATOR, value: VALUE}
      - {type: see}
"""

MESSAGES: list[JsonObject] = [
    {"n": 0, "page": {"url": "https://a.org/x", "words": 120, "tags": ["news", 7, None]}},
    {"n": 1, "page": {"url": "http://b.org/y", "words": 80.5, "tags": []}},
    {"n": 2, "page": {"url": 5, "words": "many", "tags": "news"}},
    {"n": 3, "page": {"url": None, "words": True, "tags": {"news": 1}}},
    {"n": 4, "page": "flat"},
    {"n": 5},
    {"n": 6, "page": [{"words": 120}, {"words": 3}]},
]


@pytest.mark.parametrize(
    ("field", "operator", "value", "passed"),
    [
        ("page.words", "equals", "120", [0]),
        ("page.words", "equals", "120.0", [0]),
        ("page.words", "equals", "true", [3]),
        ("page.url", "equals", "null", [3]),
        ("page", "equals", "flat", [4]),
        ("page.tags", "equals", '["news", 7, null]', [0]),
        ("page.words", "not_equals", "120", [1, 2, 3, 4, 5, 6]),
        ("page.url", "not_equals", "null", [0, 1, 2, 4, 5, 6]),
        ("page.url", "matches", '"^https://"', [0]),
        ("page.url", "matches", '"org/[xy]$"', [0, 1]),
        ("page.tags", "contains", "news", [0, 2, 3]),
        ("page.tags", "contains", "7", [0]),
        ("page.url", "contains", '"://"', [0, 1]),
        ("page.words", "in", "[80.5, many, 9]", [1, 2]),
        ("page.words", "in", "[]", []),
        ("page.words", "exists", "true", [0, 1, 2, 3]),
        ("page.url", "exists", "true", [0, 1, 2, 3]),
        ("page.words", "exists", "false", [4, 5, 6]),
        ("page.words", "greater_than", "80.5", [0]),
        ("page.words", "greater_than", "man", [2]),
        ("page.words", "less_than", "121", [0, 1]),
        ("page.tags.0", "equals", "news", [0]),
        ("page.tags.1", "greater_than", "6", [0]),
        ("page.tags.2", "exists", "true", [0]),
        ("page.tags.3", "exists", "true", []),
        ("page.tags.-1", "exists", "true", []),
        ("page.0.words", "equals", "120", [6]),
        ("page.1.words", "less_than", "5", [6]),
        ("page.url.0", "exists", "true", []),
        ("page.url.host", "exists", "true", []),
    ],
)
async def test_a_condition_decides_for_a_queue_and_for_a_pipeline_adapter_alike(
    field: str, operator: str, value: str, passed: list[int]
) -> None:
    """Each operator, on nested fields and list positions, on what is missing and on what is of another type."""
    seen = Seen()

    async def mark(context: PipelineContext) -> AdapterResult:
        return AdapterResult(message={**context.message, "n": -1 - int(str(context.message["n"]))})

    text = SIEVE.replace("FIELD", field).replace("OPERATOR", operator).replace("VALUE", value)
    ended = await run(text, {"emit": emitting(*MESSAGES), "see": seen, "mark": mark})
    assert ended_well(ended)
    assert seen.at("sieved") == passed
    assert sorted(-1 - n for n in seen.at("all") if isinstance(n, int) and n < 0) == passed
    assert len(seen.at("all")) == len(MESSAGES)


FEEDS = """
version: "1.0"
routes:
  start:
    inbound: {queue: start}
    adapters: [{type: emit}]
    outbound: {queue: [left, right], condition: {field: n, operator: less_than, value: 3}}
  left:
    inbound: {queue: left}
    adapters: [{type: pass}]
    outbound: both
  right:
    inbound: {queue: right}
    adapters: [{type: pass}]
    outbound: {queue: both}
  both:
    inbound: {queue: both}
    adapters: [{type: see}]
"""


async def passing(context: PipelineContext) -> AdapterResult:
    """Hand on what came."""
    return AdapterResult(message=context.message)


async def test_one_route_feeds_several_and_several_feed_one() -> None:
    """One output to two queues is two messages, and each goes its own way."""
    seen = Seen()
    acts: dict[str, Act] = {"emit": emitting(*({"n": n} for n in range(5))), "pass": passing, "see": seen}
    ended = await run(FEEDS, acts)
    assert ended_well(ended)
    assert seen.at("both") == [0, 0, 1, 1, 2, 2]
    assert ended.counts.done == 1 + 6 + 6


CHAIN = """
version: "1.0"
routes:
  start:
    inbound: {queue: start}
    adapters:
      - {type: first}
      - type: last
        condition: {field: wants_last, operator: equals, value: true}
    outbound: end
  end:
    inbound: {queue: end}
    adapters: [{type: see}]
"""


@pytest.mark.parametrize(("wanted", "came"), [(True, ["last"]), (False, ["first", "first"])])
async def test_when_the_last_pipeline_adapter_is_skipped_the_one_before_is_the_last(
    wanted: bool, came: list[str]
) -> None:
    """What it emits goes out, as if the other were not there."""
    seen = Seen()

    async def first(context: PipelineContext) -> AdapterResult:
        two = [Emission(payload={"n": "first"}), Emission(payload={"n": "first"})]
        return AdapterResult(message={"n": "last", **context.message}, emitted=None if wanted else two)

    ended = await run(CHAIN, {"first": first, "last": passing, "see": seen}, {"wants_last": wanted})
    assert ended_well(ended)
    assert seen.at("end") == came


async def test_none_ends_a_message_where_it_is() -> None:
    """No later pipeline adapter of the route and no later route sees it; it settles as skipped."""
    seen = Seen()

    async def none(_: PipelineContext) -> None:
        return None

    ended = await run(CHAIN, {"first": none, "last": seen, "see": seen}, {"wants_last": True})
    assert (ended.status, ended.counts.skipped, ended.counts.done) == (ExecutionStatus.COMPLETED, 1, 0)
    assert seen.payloads == {}


async def test_what_goes_to_no_queue_is_done_with() -> None:
    """An empty list of emissions, and emissions for which no condition holds."""
    seen = Seen()
    acts: dict[str, Act] = {"emit": emitting(), "pass": passing, "see": seen}
    assert (await run(FEEDS, acts)).counts.done == 1
    acts["emit"] = emitting({"n": 3}, {"n": 4})
    assert (await run(FEEDS, acts)).counts.done == 1
    assert seen.payloads == {}


def test_a_queue_that_nothing_consumes_is_warned_of() -> None:
    """And messages to it are not made: the run ends without them."""
    parsed = YamlConfigParser().parse(FEEDS.replace("outbound: both", "outbound: nobody"))
    pipeline, report = validate(parsed.value, parsed.lines, check=lambda _type, _config: ())
    assert pipeline is not None
    assert ("W201", "routes.left.outbound") in [(finding.code, finding.path) for finding in report.warnings]


async def test_a_message_to_a_queue_that_nothing_consumes_is_not_made() -> None:
    """It could never settle."""
    seen = Seen()
    acts: dict[str, Act] = {"emit": emitting({"n": 1}), "pass": passing, "see": seen}
    ended = await run(FEEDS.replace("outbound: both", "outbound: nobody"), acts)
    assert ended_well(ended)
    assert seen.at("both") == [1]
