"""What every ``PipelineAdapterRegistry`` does, and every pipeline adapter that is shipped."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated

import msgspec
import pytest

from adapters.pipeline.registry import PipelineAdapters, PipelineAdapterTaken, Registration
from adapters.yaml.parser import YamlConfigParser
from application.adapter_configs import AdapterConfigs
from application.config_check import ConfigCheck
from application.pipeline_adapters import Catalogue
from application.ports.pipeline_adapter import (
    AdapterExample,
    AdapterResult,
    PipelineAdapterRegistry,
    PipelineContext,
)
from domain.errors import Invalid
from domain.findings import InvalidAdapterConfig, UnknownPipelineAdapter
from domain.json import JsonObject
from tests.pipeline_contexts import Ground, ground

__all__ = ["ground"]

SHIPPED = [
    "batch_collector",
    "document_enumerator",
    "document_reader",
    "embedding_generator",
    "markdown_storage_writer",
    "segment_enumerator",
    "segment_publisher",
    "segment_retriever",
    "segment_writer",
    "smart_segmenter",
    "storage_retriever",
    "web_crawler",
]


TAKE_ONE_MESSAGE = [name for name in SHIPPED if name != "batch_collector"]


class ShoutConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    suffix: str
    times: Annotated[int, msgspec.Meta(ge=1)] = 1
    at_most: int | None = None
    words: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.at_most is not None and self.at_most < self.times:
            raise ValueError("at_most is below times")


@dataclass(frozen=True)
class Shout:
    config: ShoutConfig

    async def process(self, context: PipelineContext) -> AdapterResult | None:
        return AdapterResult(message={"said": str(context.message) + self.config.suffix * self.config.times})


SHOUT = Registration(type="shout", description="Shouts.", version="1", config=ShoutConfig, build=Shout)


@pytest.fixture
def registry() -> PipelineAdapterRegistry:
    return PipelineAdapters((SHOUT,))


def test_a_right_config_has_no_problems_and_is_built(registry: PipelineAdapterRegistry) -> None:
    """A valid config checks clean and reaches the pipeline adapter as its Struct."""
    config: JsonObject = {"suffix": "!", "times": 3}
    assert registry.check("shout", config) == ()
    adapter = registry.build("shout", config)
    assert isinstance(adapter, Shout)
    assert adapter.config == ShoutConfig(suffix="!", times=3)


def test_every_problem_of_a_config_is_reported_at_once(registry: PipelineAdapterRegistry) -> None:
    """Unknown, missing and wrong fields come together, each with its code, path and remediation."""
    found = registry.check("shout", {"sufix": "!", "times": 0, "words": ["a", 1], "zzz": 1})
    assert [(problem.code, problem.path) for problem in found] == [
        ("E301", "sufix"),
        ("E301", "zzz"),
        ("E302", "suffix"),
        ("E303", "times"),
        ("E303", "words[1]"),
    ]
    assert found[0].remediation == "did you mean 'suffix'?"
    assert "suffix, times, at_most, words" in found[1].remediation
    assert "Expected `int` >= 1" in found[3].message


def test_fields_that_contradict_each_other_are_a_problem(registry: PipelineAdapterRegistry) -> None:
    """What only the whole shows is reported once each field alone is right."""
    (problem,) = registry.check("shout", {"suffix": "!", "times": 3, "at_most": 2})
    assert (problem.code, problem.path) == ("E303", "")
    assert "at_most is below times" in problem.message


def test_an_unknown_type_is_a_problem_with_a_suggestion(registry: PipelineAdapterRegistry) -> None:
    """A misspelt type is E103 and names the one that was meant."""
    (problem,) = registry.check("shuot", {})
    assert (problem.code, problem.path) == ("E103", "type")
    assert problem.remediation == "did you mean 'shout'?"
    (stranger,) = registry.check("qqqqqq", {})
    assert stranger.remediation == "registered types: shout"


def test_what_cannot_be_built_is_refused_with_the_reasons(registry: PipelineAdapterRegistry) -> None:
    """Building raises our errors, and they say what is wrong."""
    with pytest.raises(UnknownPipelineAdapter, match="did you mean 'shout'"):
        registry.build("shot", {})
    with pytest.raises(UnknownPipelineAdapter):
        registry.version("shot")
    with pytest.raises(
        InvalidAdapterConfig, match=r"extra: unknown field.*suffix: the field 'suffix' is missing"
    ):
        registry.build("shout", {"extra": 1})


def test_types_versions_and_schemas_are_told(registry: PipelineAdapterRegistry) -> None:
    """What YAML may name is listed with its sentence; the schema names the fields."""
    assert registry.types() == {"shout": "Shouts."}
    assert registry.version("shout") == "1"
    (shout,) = PipelineAdapters((SHOUT,)).described()
    assert (shout.type, shout.version, shout.package) == ("shout", "1", "factflow-server")
    assert set(shout.config_schema["properties"]) == {"suffix", "times", "at_most", "words"}  # type: ignore[arg-type]
    assert shout.config_schema["additionalProperties"] is False


def test_one_type_is_registered_once() -> None:
    """Two registrations of one type are refused when the registry is made."""
    with pytest.raises(PipelineAdapterTaken):
        PipelineAdapters((SHOUT, SHOUT))


def test_everything_shipped_is_registered(ground: Ground) -> None:
    """With a sentence on what it does, a version, and a config that may be left empty."""
    types = ground.registry.types()
    assert list(types) == SHIPPED
    assert all(sentence.endswith(".") for sentence in types.values())
    for name in types:
        assert ground.registry.version(name)
        assert ground.registry.check(name, {}) == ()
        work = "collect" if ground.registry.collects(name) else "process"
        assert hasattr(ground.registry.build(name, {}), work)
    assert [name for name in types if not ground.registry.collects(name)] == TAKE_ONE_MESSAGE
    assert not ground.registry.collects("no_such_type")


@pytest.mark.parametrize("name", SHIPPED)
def test_a_misspelt_field_of_a_shipped_config_is_found(ground: Ground, name: str) -> None:
    """None of them takes what it does not know."""
    assert [problem.code for problem in ground.registry.check(name, {"no_such_field": 1})] == ["E301"]


@pytest.mark.parametrize("name", TAKE_ONE_MESSAGE)
@pytest.mark.parametrize(
    "message", [{}, {"document_id": 5}, {"object_key": None}, {"folder": 1}, {"segment": []}]
)
async def test_a_message_that_does_not_fit_is_terminal(
    ground: Ground, name: str, message: JsonObject
) -> None:
    """It raises an error of kind Invalid, for no retry would mend it."""
    with pytest.raises(Invalid):
        await ground.run(name, message)


@pytest.mark.parametrize("name", SHIPPED)
async def test_the_example_of_every_shipped_pipeline_adapter_is_a_pipeline_without_findings(
    ground: Ground, name: str
) -> None:
    """It names the pipeline adapter with every field of its config, and has nothing to fill in."""
    configs = adapter_configs(ground.registry)
    text = await configs.example(name)
    checked = await configs.check.of(text)
    assert checked.report.findings == ()
    assert checked.pipeline is not None
    assert name in {step.type for route in checked.pipeline.routes.values() for step in route.adapters}
    fields = (await configs.catalogue.get(name)).config_schema["properties"]
    assert isinstance(fields, Mapping)
    assert [field for field in fields if f"{field}: " not in text] == []


async def test_an_example_gives_required_fields_what_its_schema_allows() -> None:
    """What it cannot know is told in a comment, and one that the registration has is taken."""
    configs = adapter_configs(PipelineAdapters((SHOUT,)))
    text = await configs.example("shout")
    assert (await configs.check.of(text)).report.findings == ()
    assert 'suffix: "text"' in text
    assert "# at_most: null" in text
    wrong = replace(SHOUT, example=AdapterExample(config={"suffix": "?", "times": 3, "at_most": 2}))
    text = await adapter_configs(PipelineAdapters((wrong,))).example("shout")
    assert text.startswith("# routes.example.adapters.0.config: at_most is below times\n# Shouts.\n")
    assert 'suffix: "?"' in text


async def test_a_config_is_validated_alone(registry: PipelineAdapterRegistry) -> None:
    """With what a whole pipeline would be told, at paths of its own; an unknown type is an error."""
    configs = adapter_configs(registry)
    report = await configs.validate("shout", {"times": 0, "zzz": 1})
    assert {(one.code, one.path) for one in report.findings} == {
        ("E301", "zzz"),
        ("E302", "suffix"),
        ("E303", "times"),
    }
    assert (await configs.validate("shout", {"suffix": "!"})).is_valid
    with pytest.raises(UnknownPipelineAdapter):
        await configs.validate("whisper", {})
    with pytest.raises(UnknownPipelineAdapter):
        await configs.example("whisper")


def adapter_configs(registry: PipelineAdapters | PipelineAdapterRegistry) -> AdapterConfigs:
    assert isinstance(registry, PipelineAdapters)
    check = ConfigCheck(parser=YamlConfigParser(), registry=registry)
    return AdapterConfigs(catalogue=Catalogue(adapters=registry), check=check)
