"""What is worked out from the ledger of messages that lineage lacks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from domain.digest import digest
from domain.lineage import LineageEntry, StageStatus
from domain.lineage_repair import may_go_unrecorded, repaired_entries
from domain.message import Message, MessageState, correlation_id
from domain.pipeline import AdapterStep, Condition, Inbound, Operator, Route
from domain.unrecorded_message import UnrecordedMessage

NOW = datetime(2026, 3, 1, tzinfo=UTC)
HAS_URL = Condition(field="url", operator=Operator.EXISTS, value=True)
MESSAGE = Message(
    id=uuid4(),
    execution_id=uuid4(),
    route_id="read",
    payload={"url": "https://example.org"},
    metadata={"title": "A"},
    parent_id=uuid4(),
    parent_correlation_id=uuid4(),
)


def route(*conditions: Condition | None) -> Route:
    steps = [AdapterStep(type=f"step {number}", condition=one) for number, one in enumerate(conditions)]
    return Route(id="read", name="read", inbound=Inbound(queue="q"), adapters=steps)


def repaired(
    *conditions: Condition | None, state: MessageState = MessageState.DONE, **fields: Any
) -> list[LineageEntry]:
    collects = fields.pop("collects", False)
    one = UnrecordedMessage(**{"message": MESSAGE, "state": state, "attempt": 2, "settled_at": NOW, **fields})
    return list(repaired_entries(route(*conditions), one, collects=collects))


def places(entries: Sequence[LineageEntry]) -> list[tuple[int, StageStatus]]:
    return [(one.adapter_index, one.status) for one in entries]


def other(field: str) -> Condition:
    return Condition(field=field, operator=Operator.EXISTS, value=True)


def test_a_done_message_went_through_every_adapter_without_a_condition() -> None:
    """Each the parent of the next, under the ids of the real entries."""
    entries = repaired(None, other("tags"), None)
    assert [one.adapter_index for one in entries] == [0, 2]
    assert [one.id for one in entries] == [correlation_id(MESSAGE.id, index, 2) for index in (0, 2)]
    assert [one.parent_id for one in entries] == [MESSAGE.parent_correlation_id, entries[0].id]
    assert {one.status for one in entries} == {StageStatus.COMPLETED}
    first, last = entries
    assert first == LineageEntry(
        id=first.id,
        parent_id=MESSAGE.parent_correlation_id,
        execution_id=MESSAGE.execution_id,
        message_id=MESSAGE.id,
        route_id="read",
        adapter_name="step 0",
        adapter_index=0,
        attempt=2,
        stage_name="step 0",
        status=StageStatus.COMPLETED,
        started_at=NOW,
        completed_at=NOW,
        input_hash=digest(MESSAGE.payload).hash,
        metadata={"title": "A", "repaired": True},
    )
    assert (last.input_hash, last.duration_ms) == (None, None)


def test_of_a_group_only_the_message_that_stood_for_it_went_on() -> None:
    """It is the one whose children name its entry; of any other, that it was collected is all that can be told."""
    assert [one.adapter_index for one in repaired(None, None, collects=True)] == [0]
    last = correlation_id(MESSAGE.id, 1, 2)
    entries = repaired(None, None, collects=True, named=frozenset({last}))
    assert [one.adapter_index for one in entries] == [0, 1]


def test_the_first_adapter_is_the_first_whose_condition_held() -> None:
    """No adapter before it can have changed the message."""
    assert [one.adapter_index for one in repaired(other("tags"), HAS_URL, None)] == [1, 2]


def test_what_children_name_went_through_too() -> None:
    """Whatever its condition, so that they are joined to what they came from."""
    last = correlation_id(MESSAGE.id, 1, 2)
    entries = repaired(None, other("tags"), None, named=frozenset({last}))
    assert [one.adapter_index for one in entries] == [0, 1, 2]
    assert repaired(None, other("tags"), named=frozenset({uuid4()})) == repaired(None, other("tags"))


def test_of_a_skipped_message_only_the_first_adapter_is_known() -> None:
    """Any of them may have ended it."""
    entries = repaired(None, None, state=MessageState.SKIPPED)
    assert [(one.adapter_index, one.status) for one in entries] == [(0, StageStatus.COMPLETED)]


def test_a_dead_message_failed_at_the_last_that_is_known() -> None:
    """With the ledger's reason."""
    (only,) = repaired(None, None, state=MessageState.DEAD, error={"code": "x"})
    assert (only.adapter_index, only.status, only.error) == (0, StageStatus.FAILED, {"code": "x"})
    streamed = correlation_id(MESSAGE.id, 1, 2)
    first, last = repaired(None, None, state=MessageState.DEAD, error={}, named=frozenset({streamed}))
    assert (first.status, last.status) == (StageStatus.COMPLETED, StageStatus.FAILED)


def test_what_is_there_is_not_told_again() -> None:
    """The rest finds its place in the chain."""
    first, last = (correlation_id(MESSAGE.id, place, 2) for place in (0, 2))
    (middle,) = repaired(None, None, None, handled=frozenset({0, 2}))
    assert (middle.adapter_index, middle.parent_id) == (1, first)
    assert middle.id not in {first, last}
    assert repaired(None, None, handled=frozenset({0, 1})) == []


def test_what_did_not_run_through_met_all_before_the_last_that_is_known_of() -> None:
    """A skipped message that of its second entry, a dead one that of the ledger's reason."""
    skipped = repaired(None, None, None, state=MessageState.SKIPPED, handled=frozenset({1}))
    assert places(skipped) == [(0, StageStatus.COMPLETED)]
    dead = repaired(None, other("x"), None, None, state=MessageState.DEAD, error={"adapter_index": 2})
    assert places(dead) == [(0, StageStatus.COMPLETED), (2, StageStatus.FAILED)]


def test_of_an_attempt_that_broke_off_what_children_name_is_told() -> None:
    """How it ended is not known any more."""
    named = frozenset({correlation_id(MESSAGE.id, 1, 1), uuid4()})
    entries = repaired(None, None, named=named, handled=frozenset({0, 1}))
    assert places(entries) == [(0, StageStatus.COMPLETED), (1, StageStatus.CANCELLED)]
    assert {one.attempt for one in entries} == {1}


def test_the_message_that_stood_for_a_group_went_on_when_its_entry_says_so() -> None:
    """Though it has no children."""
    entries = repaired(None, None, collects=True, stands_for_group=True, handled=frozenset({0}))
    assert places(entries) == [(1, StageStatus.COMPLETED)]


def test_a_payload_that_is_not_known_says_nothing() -> None:
    """No condition is asked of what stands in its place, and no hash is taken of it."""
    emptied = replace(MESSAGE, payload={})
    absent = Condition(field="url", operator=Operator.EXISTS, value=False)
    assert places(repaired(absent, None, message=emptied, is_payload_known=False)) == [
        (1, StageStatus.COMPLETED)
    ]
    (first,) = repaired(None, message=emptied, is_payload_known=False)
    assert first.input_hash is None


def test_a_message_that_met_no_adapter_has_no_entry() -> None:
    """And a route tells whether that can be."""
    assert repaired(other("tags"), other("more")) == []
    assert may_go_unrecorded(route(HAS_URL, HAS_URL))
    assert not may_go_unrecorded(route(HAS_URL, None))
