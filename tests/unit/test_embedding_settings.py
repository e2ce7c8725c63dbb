"""The settings of embedding slots: what they become, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from adapters.model_servers.embeddings import OpenAiEmbeddingModel
from adapters.models.minilm import MiniLmEmbeddingModel
from adapters.models.tokenizer import MiniLmTokenizer
from entrypoints.composition import embedding_slots
from entrypoints.data_folder import DataFolder
from entrypoints.setting_facts import setting_facts
from entrypoints.setting_problems import InvalidSettings
from entrypoints.settings import Settings

LARGE = {"model_name": "large", "base_url": "https://models.example/v1", "dimension": 1024, "api_key": "sk-1"}


def read(slots: Any, **more: str) -> Settings:
    """The settings of an environment with these slots."""
    variables = {f"FACTFLOW_{name.upper()}": value for name, value in more.items()}
    return Settings.read({"FACTFLOW_EMBEDDING_SLOTS": json.dumps(slots), **variables})


def models(settings: Settings, folder: Path) -> list[MiniLmEmbeddingModel | OpenAiEmbeddingModel]:
    """What is made of the settings, the own model first."""
    data, tokenizer = DataFolder(folder), MiniLmTokenizer()
    own = embedding_slots.own(settings, data, tokenizer)
    return [own, *embedding_slots.further(settings, data, tokenizer).models]


def test_a_further_slot_stands_beside_the_built_in_one(tmp_path: Path) -> None:
    """With the model, dimension and threshold that it was given."""
    small = {
        "model_name": "small",
        "base_url": "http://localhost:1/v1",
        "dimension": 3,
        "model": "tiny",
        "default_threshold": 0.5,
    }
    own, large, other = models(read([LARGE, small]), tmp_path)
    assert [one.model_name for one in (own, large, other)] == ["minilm", "large", "small"]
    assert (large.identity, large.dimension) == ("openai/large/1024", 1024)
    assert (other.identity, other.default_threshold) == ("openai/tiny/3", 0.5)


def test_a_further_slot_can_be_the_one_that_is_meant(tmp_path: Path) -> None:
    """Then the built-in one is among the further ones."""
    own, built_in = models(read([LARGE], embedding_model="large"), tmp_path)
    assert (own.model_name, built_in.model_name) == ("large", "minilm")


def test_the_slot_that_is_meant_must_be_one_of_them(tmp_path: Path) -> None:
    """And the error says which there are."""
    with pytest.raises(InvalidSettings, match="FACTFLOW_EMBEDDING_MODEL is 'lrage'"):
        models(read([LARGE], embedding_model="lrage"), tmp_path)


@pytest.mark.parametrize(
    "slots",
    [
        {},
        [{}],
        [1],
        [LARGE, LARGE],
        [{**LARGE, "model_name": ""}],
        [{**LARGE, "model_name": "minilm"}],
        [{**LARGE, "model_name": "a\x00"}],
        [{**LARGE, "base_url": "models.example"}],
        [{**LARGE, "base_url": "https://user:pass@models.example"}],
        [{**LARGE, "dimension": 0}],
        [{**LARGE, "dimension": 16_001}],
        [{**LARGE, "dimension": "many"}],
        [{**LARGE, "api_key": "a\nb"}],
        [{**LARGE, "colour": "red"}],
        [{**LARGE, "model_name": f"m{number}"} for number in range(10)],
    ],
)
def test_slots_that_cannot_be_used_are_refused(slots: Any) -> None:
    """Without showing what stands there: it may hold a key."""
    with pytest.raises(InvalidSettings) as caught:
        read(slots)
    assert "sk-1" not in str(caught.value)


def test_no_key_is_shown_anywhere() -> None:
    """Neither in the settings' own text nor in what the API tells of them."""
    settings = read([LARGE], rerank_api_key="sk-2")
    shown = f"{settings!r} {setting_facts(settings)}"
    assert "sk-1" not in shown
    assert "sk-2" not in shown


def test_a_reranker_is_there_when_it_has_an_address() -> None:
    """And is named by its model."""
    assert embedding_slots.reranker(Settings.read({})) is None
    found = embedding_slots.reranker(read([], rerank_url="http://localhost:1", rerank_model="cross"))
    assert found is not None
    assert found.name == "cross"
