"""``domain.validation``: everything wrong with a config, at once and with its line."""

from __future__ import annotations

import re
import string
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.yaml.parser import YamlConfigParser
from domain.findings import ConfigProblem, ValidationReport
from domain.json import Json, JsonObject
from domain.pipeline import Backpressure, Condition, ErrorHandling, Inbound, Operator, Outbound, Pipeline
from domain.validation import validate
from domain.validation.codes import RULES
from domain.validation.patterns import repeats_a_repetition

DOCUMENTED = """\
version: "1.0"
routes:
  sitemap_scraper:
    name: "Sitemap scraper"
    description: "Fetches every page of a site"
    inbound:
      queue: "/queue/webscraper.sitemap"
      subscription: "sitemap-processors"
      concurrency: 4
    adapters:
      - type: "sitemap_parser"
        config: { max_urls: 1000 }
      - type: "web_scraper"
        condition: { field: "url", operator: "matches", value: "^https://" }
    outbound:
      - pages.inbound
      - queue: ["/topic/pages", "/queue/rest"]
        condition: { field: "n", operator: "greater_than", value: 3 }
    error_handling: { max_retries: 1 }
  pages:
    inbound: { queue: "pages.inbound", prefetch: 7 }
    adapters: [{ type: "web_content_storage" }]
    backpressure: { max_concurrency: 9 }
  rest:
    inbound: { queue: "/queue/rest" }
    adapters: [{ type: "web_content_storage", config: }]
  dead:
    inbound: { queue: "/queue/dlq" }
    adapters: [{ type: "web_content_storage" }]
error_handling: { retry_delay_seconds: 2, dead_letter_queue: "/queue/dlq" }
backpressure: { target_latency_ms: 250 }
init_message:
  route: sitemap_scraper
  payload: { sitemap_url: "https://example.org/sitemap.xml" }
"""


def no_problems(type: str, config: JsonObject) -> Sequence[ConfigProblem]:
    """A registry that accepts everything."""
    return ()


def checked(text: str) -> tuple[Pipeline | None, ValidationReport]:
    parsed = YamlConfigParser().parse(text)
    return validate(parsed.value, parsed.lines, check=no_problems, found=parsed.findings)


def codes(text: str) -> list[tuple[str, str, int | None]]:
    return [(finding.code, finding.path, finding.line) for finding in checked(text)[1].findings]


def with_route(**route: Json) -> dict[str, Json]:
    """A valid config of one route, with what is given in its route."""
    fields: dict[str, Json] = {"inbound": {"queue": "a"}, "adapters": [{"type": "t"}]}
    return {"version": "1.0", "routes": {"r": fields | route}, "init_message": {"route": "r"}}


def found_in(value: Json) -> set[tuple[str, str]]:
    _, report = validate(value, check=no_problems)
    return {(finding.code, finding.path) for finding in report.findings}


def test_a_pipeline_adapter_that_collects_is_the_first_of_its_route_and_has_no_condition() -> None:
    condition: JsonObject = {"field": "n", "operator": "exists"}
    gather: JsonObject = {"type": "gather"}

    def found(*steps: Json) -> list[tuple[str, str]]:
        _, report = validate(
            with_route(adapters=list(steps)), check=no_problems, collects={"gather"}.__contains__
        )
        return [(one.code, one.path) for one in report.findings]

    assert found(gather, {"type": "t"}) == []
    assert found({"type": "t", "condition": condition}, gather) == [("E108", "routes.r.adapters.1")]
    assert found(gather, gather) == [("E108", "routes.r.adapters.1")]
    assert found({**gather, "condition": condition}) == [("E108", "routes.r.adapters.0.condition")]


def test_a_documented_config_becomes_a_pipeline() -> None:
    """Every documented key, without a finding."""
    pipeline, report = checked(DOCUMENTED)
    assert report.findings == ()
    assert pipeline is not None
    scraper = pipeline.routes["sitemap_scraper"]
    assert scraper.inbound == Inbound(
        queue="/queue/webscraper.sitemap", subscription="sitemap-processors", concurrency=4, prefetch=8
    )
    https = Condition(field="url", operator=Operator.MATCHES, value="^https://")
    assert [(step.type, step.config, step.condition) for step in scraper.adapters] == [
        ("sitemap_parser", {"max_urls": 1000}, None),
        ("web_scraper", {}, https),
    ]
    many = Condition(field="n", operator=Operator.GREATER_THAN, value=3)
    assert scraper.outbound == (
        Outbound(queue="pages.inbound"),
        Outbound(queue="/topic/pages", condition=many),
        Outbound(queue="/queue/rest", condition=many),
    )
    assert pipeline.edges() == (
        ("sitemap_scraper", "pages", "pages.inbound"),
        ("sitemap_scraper", "rest", "/queue/rest"),
    )


def test_routes_inherit_key_by_key() -> None:
    """What a route leaves out is the config's, and what that leaves out the default."""
    pipeline, _ = checked(DOCUMENTED)
    assert pipeline is not None
    handling = pipeline.routes["sitemap_scraper"].error_handling
    assert handling == ErrorHandling(max_retries=1, retry_delay_seconds=2, dead_letter_queue="/queue/dlq")
    assert pipeline.routes["pages"].backpressure == Backpressure(target_latency_ms=250, max_concurrency=9)
    assert pipeline.routes["dead"].error_handling.dead_letter_queue is None


@pytest.mark.parametrize("most", [None, 0, 7])
def test_how_many_may_be_dead_is_said_for_the_whole(most: int | None) -> None:
    """Nothing said is left to the server."""
    handling: dict[str, Json] = {} if most is None else {"max_dead_letters": most}
    pipeline, report = validate(with_route() | {"error_handling": handling}, check=no_problems)
    assert report.findings == ()
    assert pipeline is not None
    assert pipeline.max_dead_letters == most


def test_everything_is_found_at_once_with_its_line() -> None:
    """Errors first, each kind in the order of the file."""
    text = DOCUMENTED
    for right, wrong in (
        ("concurrency: 4", "concurency: 4"),
        ("max_retries: 1", "max_retries: true"),
        ('operator: "matches"', 'operator: "like"'),
        ('version: "1.0"', "version: 1.0"),
        ("route: sitemap_scraper", "route: sitemap"),
        ("prefetch: 7", "prefetch: 0, prefetch: 1"),
        ("- pages.inbound", "- pages inbound"),
    ):
        text = text.replace(right, wrong)
    assert codes(text) == [
        ("E104", "routes.sitemap_scraper.inbound.concurency", 9),
        ("E401", "routes.sitemap_scraper.adapters.1.condition.operator", 14),
        ("E201", "routes.sitemap_scraper.outbound.0", 16),
        ("E101", "routes.sitemap_scraper.error_handling.max_retries", 19),
        ("E006", "routes.pages.inbound.prefetch", 21),
        ("E501", "routes.pages.inbound.prefetch", 21),
        ("E204", "init_message.route", 33),
        ("W101", "version", 1),
        ("W201", "routes.sitemap_scraper.outbound", 15),
    ]


def test_an_unknown_key_gets_a_suggestion() -> None:
    """The nearest known one, or all of them."""
    _, report = validate(with_route(adaptors=[], zzz=1), check=no_problems)
    remedies = {finding.path: finding.remediation for finding in report.findings}
    assert remedies["routes.r.adaptors"] == "Did you mean 'adapters'?"
    assert remedies["routes.r.zzz"].startswith("Known here: adapters, backpressure")


@pytest.mark.parametrize(
    ("value", "code", "path"),
    [
        ([], "E101", ""),
        ("text", "E101", ""),
        ({"version": "1.0"}, "E102", "routes"),
        ({"routes": {}}, "E102", "version"),
        ({"version": "1.0", "routes": {}}, "E106", "routes"),
        ({"version": "1.0", "routes": []}, "E101", "routes"),
        ({"version": "1.0", "routes": {"r": None}}, "E106", "routes.r"),
        ({"version": "2.0", "routes": {}}, "E105", "version"),
        ({"version": "1", "routes": {}}, "E105", "version"),
        ({"version": True, "routes": {}}, "E101", "version"),
        ({"version": "1.7", "routes": {}}, "W102", "version"),
        ({"version": "1.0", "routes": {"a/b": {}}}, "E107", "routes.a/b"),
        ({"version": "1.0", "routes": {"..": {}}}, "E107", "routes..."),
        ({"version": "1.0", "routes": {"r" * 101: {}}}, "E107", "routes." + "r" * 100),
        ({"version": "1.0", "routes": {str(n): {} for n in range(201)}}, "E501", "routes"),
        (with_route(inbound=None), "E102", "routes.r.inbound"),
        (with_route(inbound="a"), "E101", "routes.r.inbound"),
        (with_route(inbound={"queue": ""}), "E106", "routes.r.inbound.queue"),
        (with_route(inbound={"queue": "a b"}), "E201", "routes.r.inbound.queue"),
        (with_route(inbound={"queue": "/queue/"}), "E201", "routes.r.inbound.queue"),
        (with_route(inbound={"queue": "q" * 201}), "E201", "routes.r.inbound.queue"),
        (
            with_route(error_handling={"dead_letter_queue": "/topic/a"}),
            "E203",
            "routes.r.error_handling.dead_letter_queue",
        ),
        (
            with_route(inbound={"queue": "/topic/a"}, outbound="/topic/a"),
            "W203",
            "routes.r.inbound.queue",
        ),
        (with_route(inbound={"queue": "a", "concurrency": 0}), "E501", "routes.r.inbound.concurrency"),
        (with_route(inbound={"queue": "a", "concurrency": 2.0}), "E101", "routes.r.inbound.concurrency"),
        (with_route(adapters=[]), "E106", "routes.r.adapters"),
        (with_route(adapters=None), "E102", "routes.r.adapters"),
        (with_route(adapters={"type": "t"}), "E101", "routes.r.adapters"),
        (with_route(adapters=["t"]), "E101", "routes.r.adapters.0"),
        (with_route(adapters=[None]), "E106", "routes.r.adapters.0"),
        (with_route(adapters=[{}]), "E102", "routes.r.adapters.0.type"),
        (with_route(adapters=[{"type": "t", "config": []}]), "E101", "routes.r.adapters.0.config"),
        (with_route(adapters=[{"type": "t"}] * 101), "E501", "routes.r.adapters"),
        (with_route(outbound=3), "E101", "routes.r.outbound"),
        (with_route(outbound={"condition": None}), "E102", "routes.r.outbound.queue"),
        (with_route(outbound=[None]), "E101", "routes.r.outbound.0"),
        (with_route(outbound={"queue": ["a", 1]}), "E101", "routes.r.outbound.queue.1"),
        (with_route(outbound=["a"] * 101), "E501", "routes.r.outbound"),
        (with_route(outbound=["a", "a"]), "W202", "routes.r.outbound"),
        (with_route(outbound="nobody"), "W201", "routes.r.outbound"),
        (
            with_route(error_handling={"dead_letter_queue": "a"}),
            "E205",
            "routes.r.error_handling.dead_letter_queue",
        ),
        (with_route(error_handling={"max_retries": -1}), "E501", "routes.r.error_handling.max_retries"),
        (
            with_route(error_handling={"max_dead_letters": 1}),
            "E104",
            "routes.r.error_handling.max_dead_letters",
        ),
        (
            with_route() | {"error_handling": {"max_dead_letters": -1}},
            "E501",
            "error_handling.max_dead_letters",
        ),
        (
            with_route(error_handling={"retry_delay_seconds": float("nan")}),
            "E501",
            "routes.r.error_handling.retry_delay_seconds",
        ),
        (
            with_route(backpressure={"target_latency_ms": "1"}),
            "E101",
            "routes.r.backpressure.target_latency_ms",
        ),
        (with_route() | {"init_message": None}, "W502", "init_message"),
        (with_route() | {"init_message": {}}, "E102", "init_message.route"),
        (with_route() | {"init_message": {"route": "x"}}, "E204", "init_message.route"),
        (with_route() | {"init_message": {"route": "r", "payload": []}}, "E101", "init_message.payload"),
    ],
)
def test_what_is_wrong_has_its_code_and_path(value: Json, code: str, path: str) -> None:
    """Whatever else is found beside it."""
    assert (code, path) in found_in(value)


@pytest.mark.parametrize(
    ("condition", "code", "key"),
    [
        ({"field": "a", "operator": "matches", "value": "("}, "E402", "value"),
        ({"field": "a", "operator": "matches", "value": "a" * 501}, "E402", "value"),
        ({"field": "a", "operator": "matches", "value": 3}, "E403", "value"),
        ({"field": "a", "operator": "matches", "value": "(a+)+$"}, "W401", "value"),
        ({"field": "a", "operator": "in", "value": "abc"}, "E403", "value"),
        ({"field": "a", "operator": "exists", "value": "yes"}, "E403", "value"),
        ({"field": "a", "operator": "greater_than", "value": True}, "E403", "value"),
        ({"field": "a", "operator": "contains", "value": None}, "E403", "value"),
        ({"field": "a", "operator": "equals"}, "E102", "value"),
        ({"field": "a", "operator": "=="}, "E401", "operator"),
        ({"field": "a..b", "operator": "exists"}, "E404", "field"),
        ({"operator": "exists"}, "E102", "field"),
    ],
)
def test_conditions_are_checked_wherever_they_stand(condition: JsonObject, code: str, key: str) -> None:
    """On a step and on an outbound queue."""
    value = with_route(
        adapters=[{"type": "t", "condition": condition}], outbound=[{"queue": "a", "condition": condition}]
    )
    found = found_in(value)
    assert (code, f"routes.r.adapters.0.condition.{key}") in found
    assert (code, f"routes.r.outbound.0.condition.{key}") in found


def test_a_condition_of_existence_needs_no_value() -> None:
    """It asks for presence then."""
    value = with_route(adapters=[{"type": "t", "condition": {"field": "a", "operator": "exists"}}])
    pipeline, _ = validate(value, check=no_problems)
    assert pipeline is not None
    assert pipeline.routes["r"].adapters[0].condition == Condition(
        field="a", operator=Operator.EXISTS, value=True
    )


@pytest.mark.parametrize("pattern", ["(a+)+", "(?:a*)*", "((ab)+c)+", "(x|[+]|y+){2,}"])
def test_a_repeated_repetition_is_recognised(pattern: str) -> None:
    """It may take exponential time."""
    assert repeats_a_repetition(pattern)


@pytest.mark.parametrize(
    "pattern", ["^https?://[^/]+/", "(ab)+", r"(\+)+", "([+*])+", "(a+)b+", "(a+)?", ")+)+"]
)
def test_other_repetitions_are_not(pattern: str) -> None:
    """Escapes and classes are no repetitions."""
    assert not repeats_a_repetition(pattern)


def test_two_routes_cannot_consume_one_queue() -> None:
    """Fan-out is several outbound queues."""
    route: Json = {"inbound": {"queue": "a"}, "adapters": [{"type": "t"}]}
    value = with_route() | {"routes": {"r": route, "s": route}}
    assert ("E202", "routes.s.inbound.queue") in found_in(value)


def test_a_route_that_no_message_reaches_is_a_warning() -> None:
    """One that another's dead letters reach is none."""
    text = DOCUMENTED.replace("- pages.inbound", "- nowhere")
    assert [code for code, _, _ in codes(text)] == ["W201", "W501"]
    pipeline, report = checked(text)
    assert pipeline is not None
    assert report.is_valid


def test_what_the_registry_finds_stands_under_the_step() -> None:
    """An unknown type at the type, the rest below the config."""

    def check(type: str, config: JsonObject) -> Sequence[ConfigProblem]:
        return [
            ConfigProblem(code="E103", path="", message="no such type", remediation="Use 'read'."),
            ConfigProblem(code="E301", path="sizes.0", message="unknown", remediation="Remove it."),
            ConfigProblem(code="E302", path="", message="missing", remediation="Add it."),
        ]

    pipeline, report = validate(with_route(), {"routes.r.adapters": 4}, check=check)
    assert pipeline is None
    assert [(each.code, each.path, each.line, each.remediation) for each in report.findings] == [
        ("E302", "routes.r.adapters.0.config", 4, "Add it."),
        ("E301", "routes.r.adapters.0.config.sizes.0", 4, "Remove it."),
        ("E103", "routes.r.adapters.0.type", 4, "Use 'read'."),
    ]


def test_findings_are_shown_up_to_a_limit() -> None:
    """Then one more says that there were others."""
    value = with_route() | {f"key{n}": n for n in range(1000)}
    pipeline, report = validate(value, check=no_problems)
    assert pipeline is None
    assert len(report.errors) == 101
    assert [each.code for each in report.errors if each.line is None and not each.path] == ["E501"]


def test_a_key_of_a_megabyte_makes_no_large_report() -> None:
    """Paths and messages are cut."""
    value: Json = {"." * 1_000_000: 1, "routes": {"r" * 1_000_000: {"." * 1_000_000: 1}}}
    _, report = validate(value, check=no_problems)
    assert sum(len(each.path) + len(each.message) for each in report.findings) < 20_000


KEYS = st.sampled_from(
    [
        "version",
        "routes",
        "name",
        "inbound",
        "queue",
        "concurrency",
        "adapters",
        "type",
        "config",
        "condition",
        "field",
        "operator",
        "value",
        "outbound",
        "error_handling",
        "max_retries",
        "dead_letter_queue",
        "backpressure",
        "init_message",
        "route",
        "payload",
        "r",
    ]
) | st.text(string.printable, max_size=3)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats()
    | st.sampled_from(["1.0", "/queue/a", "/topic/a", "matches", "exists", "r", "(", ""])
    | st.text(max_size=5)
)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=40,
)


@given(ANYTHING)
def test_no_plain_value_raises(value: Json) -> None:
    """A pipeline comes out exactly when there are no errors."""
    pipeline, report = validate(value, check=no_problems)
    assert (pipeline is not None) is report.is_valid


@given(ANYTHING, st.sampled_from(["inbound", "adapters", "outbound", "error_handling", "backpressure"]))
def test_no_plain_value_in_a_route_raises(value: Json, key: str) -> None:
    """Every finding has a known code, a path and a remedy."""
    _, report = validate(with_route(**{key: value}), check=no_problems)
    for finding in report.findings:
        assert finding.code in RULES
        assert finding.remediation
        assert finding.path.startswith(f"routes.r.{key}") or finding.path in {"", "routes.r"}


def test_the_page_of_finding_codes_says_what_the_code_says() -> None:
    """Code, meaning and remedy, in the same order."""
    page = Path(__file__).parents[2] / "docs" / "reference" / "finding-codes.md"
    rows = re.findall(
        r"^\| `([EW]\d{3})` \| (.*) \| (.*) \|$", page.read_text(encoding="utf-8"), re.MULTILINE
    )
    assert rows == [(code, rule.meaning, rule.remediation) for code, rule in RULES.items()]


def test_the_example_of_the_reference_page_is_valid() -> None:
    """As a reader would copy it."""
    page = Path(__file__).parents[2] / "docs" / "reference" / "pipeline-yaml.md"
    (example,) = re.findall(
        r"^```yaml\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    pipeline, report = checked(example)
    assert report.findings == ()
    assert pipeline is not None
