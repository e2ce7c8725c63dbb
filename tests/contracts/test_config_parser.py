"""The behaviour that ``application.ports.config_parser`` promises, for every parser."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.yaml.parser import YamlConfigParser
from application.ports.config_parser import ConfigParser
from domain.json import Json

PARSER: ConfigParser = YamlConfigParser()

MIB = 1024 * 1024
HOSTILE = {
    "five megabytes": "a: " + "x" * 5 * MIB,
    "a hundred thousand lists deep": "[" * 100_000,
    "a hundred thousand mappings deep": "{a: " * 100_000,
    "dashes in one line": "- " * 100_000,
    "question marks in one line": "? " * 500_000,
    "indented ever deeper": "\n".join(" " * depth + "k:" for depth in range(1400)),
    "a billion laughs": "\n".join(
        f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9) if level else 'lol'}]"
        for level in range(10)
    ),
    "one alias ten thousand times": "[&a x," + "*a," * 10_000 + "]",
    "ninety thousand keys": "\n".join(f"k{n}: 1" for n in range(90_000)),
    "colons only": ":" * MIB,
    "an unfinished quotation": '"' + "\n" * (MIB - 1),
    "tags": "! " * 500_000,
    "anchors": "&a " * 300_000,
    "directives": "%TAG !a! b\n" * 80_000,
    "a NUL": "a: \0",
    "an escaped NUL": 'a: "\\0"',
    "a lone surrogate": "a: \ud800",
    "an escaped surrogate": 'a: "\\ud800"',
    "a constructor of Python": "!!python/object/apply:os.system [ls]",
    "two documents": "a: 1\n---\nb: 2",
    "an incompatible version": "%YAML 9.9\n---\na: 1",
    "nothing": "",
    "null": "~",
    "a comment": "# nothing else",
}


def plain(value: Json) -> Iterator[Json]:
    """Every value within a value."""
    yield value
    if isinstance(value, dict):
        assert all(isinstance(key, str) for key in value)
        for each in value.values():
            yield from plain(each)
    elif isinstance(value, list):
        for each in value:
            yield from plain(each)


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_text_is_a_finding_within_seconds(text: str) -> None:
    """It never raises, and what it yields is not much larger than the text."""
    start = time.perf_counter()
    parsed = PARSER.parse(text)
    assert time.perf_counter() - start < 5
    assert any(finding.code.startswith("E") for finding in parsed.findings)
    assert len(parsed.findings) <= 202
    assert len(json.dumps(parsed.value)) <= 3 * len(text) + 4


@given(st.text(max_size=200) | st.text(alphabet="ab:-?[]{}&*!|>'\"%@`#,\n\t 0.~<", max_size=60))
def test_no_text_raises(text: str) -> None:
    """And every value is plain JSON."""
    parsed = PARSER.parse(text)
    assert parsed.value is not None or parsed.findings
    for value in plain(parsed.value):
        assert value is None or type(value) in {str, int, float, bool, list, dict}
        assert not isinstance(value, float) or math.isfinite(value)


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**63), 2**63 - 1)
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(st.characters(exclude_categories=["Cs"], max_codepoint=0xFFFF, exclude_characters="\0")),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abc.<"), inner, max_size=4),
        max_leaves=20,
    )
)
def test_json_is_read_as_json(value: Json) -> None:
    """What ``json.dumps`` writes comes back, escapes and all."""
    parsed = PARSER.parse(json.dumps({"value": value}))
    if "E008" not in {finding.code for finding in parsed.findings}:
        assert parsed.value == {"value": value}


def test_lines_are_those_of_the_keys() -> None:
    """From 1; a list's entry stands where it begins."""
    parsed = PARSER.parse(
        "version: '1.0'\nroutes:\n  read:\n    adapters:\n      - type: a\n      - {type: b}\n"
    )
    assert parsed.lines["routes"] == 2
    assert parsed.lines["routes.read"] == 3
    assert parsed.lines["routes.read.adapters.1"] == 6
    assert parsed.lines["routes.read.adapters.1.type"] == 6


@pytest.mark.parametrize(
    ("text", "code", "line"),
    [
        ("a: 1\nb: [", "E001", 2),
        ("x" * (MIB + 1), "E002", None),
        ("ø" * (MIB // 2 + 1), "E002", None),
        ("a: 1\nb: \x01", "E003", 2),
        ('a: 1\nb: "\\0"', "E003", 2),
        ("# nothing", "E004", 1),
        ("a: 1\n---\nb: 1", "E005", 2),
        ("a: 1\nb: 2\na: 3", "E006", 3),
        ("a: 1\n1: 2", "E007", 2),
        ("a: 1\n? [b]\n: 2", "E007", 2),
        ("a: &x 1", "E008", 1),
        ("a: 1\n<<: {b: 1}", "E008", 2),
        ("a: 1\nb: !!binary aGk=", "E009", 2),
        ("a: 1\nb: " + "[" * 50 + "]" * 50, "E010", 2),
        ("[" + "1," * 50_001 + "]", "E011", 1),
        ("a: 1\nb: .inf", "E012", 2),
        ("a: 1\nb: 1e999", "E012", 2),
        ("a: 1\nb: 9223372036854775808", "E012", 2),
        ("a: " + "9" * 10_000, "E012", 1),
        ("a:\n\tb: 1", "E013", 2),
        ("a: 1\nb: yes", "W001", 2),
    ],
)
def test_what_is_wrong_has_its_code_and_line(text: str, code: str, line: int | None) -> None:
    """The first finding names it."""
    (first, *_) = PARSER.parse(text).findings
    assert (first.code, first.line) == (code, line)
    assert first.remediation


def test_of_a_key_that_stands_twice_the_first_value_is_read() -> None:
    """And the rest of the file too, so that everything is found at once."""
    parsed = PARSER.parse("a: 1\na: {b: 2}\nc: 3")
    assert parsed.value == {"a": 1, "c": 3}


def test_what_is_wrong_under_a_refused_key_is_found_under_it() -> None:
    """And the lines of the value that was read stay."""
    parsed = PARSER.parse("a: {b: 1}\na:\n  b: yes\n")
    assert [(finding.code, finding.path, finding.line) for finding in parsed.findings] == [
        ("E006", "a", 2),
        ("W001", "a.b", 3),
    ]
    assert parsed.lines == {"": 1, "a": 1, "a.b": 1}


def test_a_byte_order_mark_at_the_beginning_is_no_error() -> None:
    """Editors of some systems write it."""
    assert PARSER.parse("\ufeffa: 1").value == {"a": 1}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("2026-01-01", "2026-01-01"),
        ("12:30", "12:30"),
        ("1_000", "1_000"),
        ("0o17", 15),
        ("0x1F", 31),
        ("010", 10),
        ("1e3", 1000.0),
        ("True", True),
        ("'true'", "true"),
        ("|\n  a\n  b\n", "a\nb\n"),
        ("~", None),
    ],
)
def test_plain_values_are_those_of_yaml_1_2(text: str, value: Json) -> None:
    """The core schema: no dates, no sexagesimals, and Norway stays a country."""
    assert PARSER.parse(f"a: {text}").value == {"a": value}
