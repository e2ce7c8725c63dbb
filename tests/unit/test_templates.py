"""Templates: what may be stored, what a value may be, and that no value gets out of its place."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.memory.corpus import Corpus
from adapters.memory.documents import MemoryDocuments
from adapters.memory.embedding_slots import MemoryEmbeddingSlots
from adapters.memory.segment_index import MemorySegmentIndex
from adapters.yaml.parser import YamlConfigParser
from application.ports.pipeline_adapter import PipelineAdapterRegistry
from domain.identity import derived_id
from domain.json import Json
from domain.templates.parameters import InvalidParameter, InvalidValues, Parameter, ParameterType, values_of
from domain.templates.rendering import rendered, require_whole_values
from domain.templates.template import InvalidTemplate, Template, TemplateKind
from domain.validation import validate
from entrypoints.composition.shipped_templates import shipped_templates
from tests.pipeline_contexts import Ground

NOW = datetime(2026, 3, 1, tzinfo=UTC)
PARSER = YamlConfigParser()

HOSTILE = [
    "plain",
    "",
    '"',
    "'",
    "\\",
    "a: b",
    "- a",
    "# no comment",
    "x\ny: 1",
    "x\r\ny",
    "\x85\u2028\u2029\ufeff",
    "{{ other }}",
    "*alias",
    "&anchor",
    "!!python/object:os.system",
    "yes",
    "null",
    "1e3",
    "2026-03-01",
    "---",
    "...",
    "%YAML 1.1",
    "${secret:KEY}",
    "\U0001f993",
    "x" * 5000,
    "\t\x7f",
    "] } ,",
    "|\n  block",
]
TEXT = "a: {{ x }}\nb: [{{ x }}, {y: {{ x }}}]\nc:\n  - {{ x }}  # a comment\n  - {{ z }}\n"


def new(
    text: str, *parameters: Parameter | str, kind: TemplateKind = TemplateKind.PIPELINE, **more: Any
) -> Template:
    given = [Parameter(name=one) if isinstance(one, str) else one for one in parameters]
    return Template(
        id=uuid4(),
        name="mine",
        kind=kind,
        text=text,
        parameters=tuple(given),
        created_at=NOW,
        updated_at=NOW,
        **more,
    )


def parse(text: str) -> Json:
    return PARSER.parse(text).value


def tree(x: Json, z: Json) -> Json:
    return {"a": x, "b": [x, {"y": x}], "c": [x, z]}


def require_in_place(x: Json, z: Json) -> None:
    template = new(TEXT, "x", "z")
    parsed = PARSER.parse(rendered(template, {"x": x, "z": z}))
    assert parsed.value == tree(x, z), parsed.findings


@pytest.mark.parametrize("value", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_text_stays_one_value(value: str) -> None:
    require_in_place(value, [value, "second"])


_TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"], include_characters="\n\t\r\x7f\x85")).filter(
    lambda text: "\ufffe" not in text and "\uffff" not in text
)


@given(
    _TEXTS, _TEXTS | st.lists(_TEXTS, max_size=3) | st.booleans() | st.none() | st.integers(-(2**62), 2**62)
)
def test_any_value_is_read_back_as_itself(x: str, z: Json) -> None:
    require_in_place(x, z)


def test_numbers_are_read_back_as_numbers() -> None:
    for value in (0, -5, 2**62, 0.5, -1e-7, 1e300, True, False, None):
        read = parse(rendered(new(TEXT, "x", "z"), {"x": value, "z": ""}))
        assert read == tree(value, "")


@pytest.mark.parametrize(
    "text",
    [
        'a: "in {{ x }}"',
        "a: '{{ x }}'",
        "a: before {{ x }}",
        "a: {{ x }} after",
        "{{ x }}: a",
        "a: 1 # {{ x }}",
        "a: |\n  {{ x }}\n",
        "a: >\n  {{ x }}\n",
        "a: [b{{ x }}]",
        "? {{ x }}\n: b",
        "a: {{ x }}\nb: '{{ x }}'",
    ],
)
def test_a_place_must_stand_for_a_whole_value(text: str) -> None:
    with pytest.raises(InvalidTemplate):
        require_whole_values(new(text, "x"), parse)


def test_places_in_a_pipeline_that_stand_for_whole_values_are_fine() -> None:
    require_whole_values(new(TEXT, "x", "z"), parse)


@pytest.mark.parametrize(
    ("text", "parameters", "reason"),
    [
        ("a: {{ x }}", (), "without a parameter: x"),
        ("a: 1", ("x",), "no place for: x"),
        ("a: {{ x }}", ("x", "x"), "a name of its own"),
        ("  ", (), "1 to 200,000"),
        ("a\x00", (), "no NUL"),
    ],
)
def test_text_and_parameters_must_fit(text: str, parameters: tuple[str, ...], reason: str) -> None:
    with pytest.raises(InvalidTemplate, match=reason):
        new(text, *parameters)


@pytest.mark.parametrize("name", ["", "A", "-a", "a-", "a b", "ä", "a/b", "x" * 101])
def test_a_name_is_one_that_stands_in_a_path(name: str) -> None:
    with pytest.raises(InvalidTemplate):
        Template(id=uuid4(), name=name, kind=TemplateKind.PROMPT, text="x", created_at=NOW, updated_at=NOW)


def test_a_prompt_is_plain_text_and_values_are_not_looked_through() -> None:
    template = new("{{ x }}: {{ n }}, {{ l }}{{ no }}", "x", "n", "l", "no", kind=TemplateKind.PROMPT)
    text = rendered(template, {"x": '{{ n }} "', "n": 5, "l": ["a", "b"], "no": None})
    assert text == '{{ n }} ": 5, a\nb'


@pytest.mark.parametrize(
    ("type", "good", "bad"),
    [
        ("string", ["", "x"], [1, True, ["x"], {}, "\x00", "\x1b", "x" * 20_001]),
        ("integer", [0, -1], [True, 1.0, "1", 2**63]),
        ("number", [0, 1.5], [True, "1", float("nan"), float("inf")]),
        ("boolean", [True, False], [0, "true"]),
        ("list", [[], ["a"]], ["a", [1], [["a"]], ["\x00"], ["a"] * 1001]),
    ],
)
def test_a_value_is_of_its_parameters_type(type: str, good: list[Json], bad: list[Json]) -> None:
    parameter = Parameter(name="p", type=ParameterType(type))
    for value in good:
        assert values_of([parameter], {"p": value}) == {"p": value}
    for value in bad:
        with pytest.raises(InvalidValues, match="p is not"):
            values_of([parameter], {"p": value})


def test_defaults_stand_in_and_what_is_required_is_asked_for() -> None:
    parameters = [
        Parameter(name="a", is_required=True),
        Parameter(name="b", default="x", choices=("x", "y")),
        Parameter(name="c"),
    ]
    assert values_of(parameters, {"a": "1"}) == {"a": "1", "b": "x", "c": None}
    with pytest.raises(InvalidValues, match="no parameter 'd'; a is required; b is none of its choices"):
        values_of(parameters, {"b": "z", "d": 1})


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "a-b"},
        {"name": "1"},
        {"name": "a", "is_required": True, "default": "x"},
        {"name": "a", "default": 1},
        {"name": "a", "choices": ("x",), "default": "y"},
        {"name": "a", "type": ParameterType.INTEGER, "choices": ("x",)},
    ],
)
def test_a_parameter_that_contradicts_itself_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidParameter):
        Parameter(**wrong)


SAMPLES: dict[ParameterType, Json] = {
    ParameterType.STRING: "a\"b: c'",
    ParameterType.INTEGER: 10,
    ParameterType.NUMBER: 0.5,
    ParameterType.BOOLEAN: True,
    ParameterType.LIST: ["**/*.md"],
}
SHIPPED = shipped_templates(PARSER)


def shipped_registry() -> PipelineAdapterRegistry:
    """The pipeline adapters that come with the server, over memory: enough to check configs."""
    corpus = Corpus()
    return Ground(
        documents=MemoryDocuments(corpus),
        index=MemorySegmentIndex(corpus),
        slots=MemoryEmbeddingSlots(corpus),
    ).registry


@pytest.mark.parametrize("template", SHIPPED, ids=lambda template: template.name)
@pytest.mark.parametrize("is_filled", [True, False], ids=["all values", "required values only"])
def test_every_shipped_template_renders_to_what_it_should(template: Template, is_filled: bool) -> None:
    given = {
        one.name: one.choices[0] if one.choices else SAMPLES[one.type]
        for one in template.parameters
        if is_filled or one.is_required
    }
    text = rendered(template, values_of(template.parameters, given))
    assert "{{" not in text
    if template.kind is TemplateKind.PROMPT:
        return
    require_whole_values(template, parse)
    parsed = PARSER.parse(text)
    pipeline, report = validate(
        parsed.value, parsed.lines, check=shipped_registry().check, found=parsed.findings
    )
    assert (report.is_valid, pipeline is not None) == (True, True), report.errors


def test_shipped_templates_keep_their_ids() -> None:
    assert {one.name for one in SHIPPED} == {
        "cited-answer", "documents", "re-embed", "summary", "uploads", "website",
    }  # fmt: skip
    assert all(one.is_shipped and one.id == derived_id("template", one.name) for one in SHIPPED)
    assert all(one.description and one.parameters for one in SHIPPED)
