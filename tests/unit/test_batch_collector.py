"""The pipeline adapter ``batch_collector``."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest

from application.ports.pipeline_adapter import (
    AdapterResult,
    CollectedMessage,
    CollectingAdapter,
    GroupContext,
)
from domain.json import Json
from tests.pipeline_contexts import EXECUTION, Ground, ground

__all__ = ["ground"]

GROUP = UUID(int=5)


async def joined(
    ground: Ground, *payloads: dict[str, Json], of: Json = None, **config: Json
) -> AdapterResult:
    """What becomes of a group."""
    adapter = ground.registry.build("batch_collector", config)
    assert isinstance(adapter, CollectingAdapter)
    messages = [CollectedMessage(message=one, metadata={}, message_id=uuid4()) for one in payloads]
    context: dict[str, Any] = {"stage": None}
    result = await adapter.collect(
        messages,
        GroupContext(
            execution_id=EXECUTION,
            route_id="route",
            group_id=GROUP,
            key=of,
            metadata={},
            correlation_id=GROUP,
            attempt=1,
            **context,
        ),
    )
    assert result is not None
    return result


async def test_payloads_are_joined_in_their_order(ground: Ground) -> None:
    assert await joined(ground, {"n": 2}, {"n": 1}) == AdapterResult(message={"items": [{"n": 2}, {"n": 1}]})


async def test_the_items_are_called_as_the_config_says(ground: Ground) -> None:
    assert (await joined(ground, {"n": 1}, field="pages")).message == {"pages": [{"n": 1}]}


async def test_a_batch_of_a_key_says_its_value(ground: Ground) -> None:
    assert (await joined(ground, {"n": 1}, of="x", key="site")).message == {
        "items": [{"n": 1}],
        "key": "x",
    }


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"max_bytes": 1_000_001}, "max_bytes is above 1000000"),
        ({"max_messages": 0}, "max_messages is not between 1 and 10000"),
        ({"flush_seconds": 0}, "flush_seconds is not above 0"),
        ({"key": "a."}, "key is not a path"),
        ({"field": ""}, "field is empty"),
        ({"field": "$claim_check"}, "begins with a dollar sign"),
        ({"field": "key", "key": "a"}, "field is `key`"),
    ],
)
def test_what_a_batch_cannot_be_is_found_before_it_runs(
    ground: Ground, config: dict[str, Json], said: str
) -> None:
    (problem,) = ground.registry.check("batch_collector", config)
    assert problem.code == "E303"
    assert said in problem.message
