"""What a replay may be asked, where its messages go, and what they say."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from application.engine.replay_route import SEEDER, seeding_route_id, with_seeding
from application.engine.snapshot import SnapshotNotRunnable, _seeded
from domain.execution import Execution
from domain.message import Message
from domain.pipeline import Pipeline
from domain.replay import (
    Destination,
    InvalidReplay,
    Origin,
    Replay,
    ReplayRequest,
    ReplayRouteNeeded,
    ReplayRouteUnfit,
    ReplayRouteUnknown,
    ReplaySource,
    replay_of,
    require_valid_path,
    stage_prefix,
)
from domain.replay_destination import Routing
from domain.replayed_message import batch_of, of_message, of_object
from domain.storage import InvalidKey, StoredObject
from tests.unit.engines import pipeline, route

PARENT = UUID(int=7)
BATCH = UUID(int=9)
AT = datetime(2026, 1, 1, tzinfo=UTC)

DOCUMENTS = pipeline(
    route("read", "read", "write", to="segment"),
    route("segment", "load", "cut", "publish", to="embed"),
    route("embed", "embed", "index"),
)


def replay(**fields: Any) -> Replay:
    given: dict[str, Any] = {
        "source": ReplaySource.STORAGE,
        "parent_id": PARENT,
        "batch_id": BATCH,
        "origin": Origin(route_id="read", stage="markdown"),
        "from_path": "",
        "destination": Destination(to_route="segment", enters="segment"),
        "found": 3,
    } | fields
    return Replay(**given)


def sent_to(
    among: Pipeline,
    origin: Origin | None,
    to_route: str | None = None,
    *,
    source: ReplaySource = ReplaySource.STORAGE,
    gives_keys: bool = True,
) -> Destination:
    routing = Routing(
        pipeline=among,
        collects={"gather"}.__contains__,
        needing_content={"embed", "cut", "publish"},
    )
    return routing.destination(source, origin, to_route, gives_keys=gives_keys)


@pytest.mark.parametrize(
    ("origin", "to_route", "expected"),
    [
        (Origin(route_id="read", stage="markdown", kept_by="write"), None, ("segment", "segment", None)),
        (Origin(route_id="read", stage="markdown", kept_by=None), "read", ("read", "read", None)),
        (Origin(route_id="segment", stage="segments", kept_by="cut"), None, ("embed", "segment", 1)),
        (Origin(route_id="segment", stage="segments", kept_by="cut"), "embed", ("embed", "segment", 1)),
        (
            Origin(route_id="segment", stage="segments", kept_by="cut"),
            "segment",
            ("segment", "segment", None),
        ),
    ],
)
def test_stored_objects_go_on_from_their_stage(
    origin: Origin, to_route: str | None, expected: tuple[str, str, int | None]
) -> None:
    """To the route that follows; through the rest of their own where they were kept in the middle of it."""
    to = sent_to(DOCUMENTS, origin, to_route)
    assert (to.to_route, to.enters, to.after_step) == expected


def test_a_frozen_replay_into_a_route_that_is_not_there_cannot_run() -> None:
    """Told as whatever else keeps a snapshot from running."""
    lost = replay(destination=Destination(to_route="gone", enters="gone"))
    execution = Execution(
        id=PARENT,
        config_id=PARENT,
        config_snapshot={"replay": lost.as_json()},
        started_at=datetime(2026, 1, 1, tzinfo=UTC),
    )
    with pytest.raises(SnapshotNotRunnable, match="gone"):
        _seeded(execution, DOCUMENTS)


def test_the_rest_of_a_route_loads_the_object_and_leaves_out_what_was_done() -> None:
    to = Destination(to_route="embed", enters="segment", after_step=1)
    seeded = with_seeding(DOCUMENTS, replay(destination=to))
    assert [step.type for step in seeded.routes["segment"].adapters] == ["load", "publish"]
    assert [step.type for step in DOCUMENTS.routes["segment"].adapters] == ["load", "cut", "publish"]
    assert [step.type for step in seeded.routes["~replay"].adapters] == [SEEDER]
    assert seeded.routes["~replay"].outbound[0].queue == "segment"


def test_what_was_kept_at_the_end_of_a_route_is_not_put_through_it_again() -> None:
    kept_last = pipeline(route("a", "load", "keep", to="b"), route("b", "embed"))
    with pytest.raises(ReplayRouteUnfit):
        sent_to(kept_last, Origin(route_id="a", stage="kept", kept_by="keep"))


def test_what_was_kept_behind_a_collector_is_not_collected_again() -> None:
    """It goes on to the next route, where that can begin with a key."""
    collecting = pipeline(route("a", "gather", "keep", "publish", to="b"), route("b", "load", "embed"))
    to = sent_to(collecting, Origin(route_id="a", stage="kept", kept_by="keep"))
    assert (to.to_route, to.enters, to.after_step) == ("b", "b", None)
    unfit = pipeline(route("a", "gather", "keep", "publish", to="b"), route("b", "embed"))
    with pytest.raises(ReplayRouteUnfit):
        sent_to(unfit, Origin(route_id="a", stage="kept", kept_by="keep"))


def test_a_route_in_a_circle_is_not_cut_short() -> None:
    """Its other messages need all of it."""
    circle = pipeline(route("a", "load", "keep", "publish", to="b"), route("b", "embed", to="a"))
    with pytest.raises(ReplayRouteUnfit):
        sent_to(circle, Origin(route_id="a", stage="kept", kept_by="keep"))


def test_a_route_that_cannot_begin_with_a_key_is_refused() -> None:
    """Unless payloads are sent to it and no keys."""
    with pytest.raises(ReplayRouteUnfit, match="embed"):
        sent_to(DOCUMENTS, Origin(route_id="read", stage="markdown"), "embed")
    assert sent_to(DOCUMENTS, None, "embed", source=ReplaySource.MANUAL, gives_keys=False).enters == "embed"


def test_a_replay_names_its_route_where_not_exactly_one_follows() -> None:
    fork = pipeline(route("a", "keep", to=("b", "c")), route("b", "use"), route("c", "use"))
    with pytest.raises(ReplayRouteNeeded, match="b, c"):
        sent_to(fork, Origin(route_id="a", stage="kept"))
    with pytest.raises(ReplayRouteNeeded, match="no route follows b"):
        sent_to(fork, Origin(route_id="b", stage="kept"))
    with pytest.raises(ReplayRouteNeeded):
        sent_to(fork, None, source=ReplaySource.MANUAL)
    with pytest.raises(ReplayRouteUnknown, match="it has a, b, c"):
        sent_to(fork, Origin(route_id="a", stage="kept"), "d")


def test_messages_from_lineage_go_to_the_route_that_had_them() -> None:
    to = sent_to(DOCUMENTS, Origin(route_id="embed"), source=ReplaySource.LINEAGE, gives_keys=False)
    assert to.enters == "embed"


def test_a_replay_is_read_back_from_its_snapshot() -> None:
    """Whole, but for what only finding the destination needs."""
    for each in (
        replay(),
        replay(origin=None, source=ReplaySource.MANUAL),
        replay(destination=Destination(to_route="embed", enters="segment", after_step=1)),
        replay(origin=Origin(route_id="read"), source=ReplaySource.LINEAGE, from_path="a/b"),
    ):
        assert replay_of(dict(each.as_json())) == each


@pytest.mark.parametrize("value", [None, [], {}, {"source": "storage"}, {**replay().as_json(), "found": "x"}])
def test_a_snapshot_that_makes_no_sense_is_refused(value: Any) -> None:
    with pytest.raises(InvalidReplay):
        replay_of(value)


def test_the_hidden_route_never_takes_the_name_of_another() -> None:
    taken = pipeline(route("~replay", "use"), route("~~replay", "use"))
    assert seeding_route_id(taken) == "~~~replay"
    assert set(
        with_seeding(taken, replay(destination=Destination(to_route="~replay", enters="~replay"))).routes
    ) == {
        "~replay",
        "~~replay",
        "~~~replay",
    }


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"from_stage": "///"},
        {"source": ReplaySource.LINEAGE},
        {"source": ReplaySource.LINEAGE, "from_stage": "a", "from_path": "b"},
        {"from_stage": "a", "object_keys": ["b"]},
        {"from_stage": "a", "payloads": [{}]},
        {"source": ReplaySource.MANUAL},
        {"source": ReplaySource.MANUAL, "object_keys": ["k"] * 1001},
    ],
)
def test_a_request_that_cannot_be_right_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(InvalidReplay):
        ReplayRequest(**fields)


@pytest.mark.parametrize(
    "stage", ["..", "a/../b", "a//b", "a\0b", "a\\b", "x" * 201, "e\N{COMBINING ACUTE ACCENT}", "\ud800"]
)
def test_a_hostile_stage_is_no_prefix(stage: str) -> None:
    with pytest.raises(InvalidKey):
        stage_prefix(PARENT, "read", stage)


@pytest.mark.parametrize("path", ["..", "../", "../../other", "a/../b", "a//b", "\n", "a\\b", "x" * 2000])
def test_a_hostile_path_does_not_lead_out_of_its_stage(path: str) -> None:
    with pytest.raises(InvalidKey):
        require_valid_path(stage_prefix(PARENT, "read", "markdown"), path)


@pytest.mark.parametrize(("path", "expected"), [("", ""), ("/a", "a"), ("a/", "a/"), ("0198", "0198")])
def test_a_path_goes_on_after_its_stage(path: str, expected: str) -> None:
    assert require_valid_path(stage_prefix(PARENT, "read", "markdown"), path) == expected


def test_a_replayed_object_says_where_it_comes_from_and_nothing_of_the_engine() -> None:
    """Its payload has the rest of the sidecar too, and its own key whatever key the sidecar speaks of."""
    sidecar = {
        "title": "T",
        "document_id": "d",
        "fingerprint": "f",
        "object_key": "another",
        "execution_id": "e",
        "message_id": "m",
        "correlation_id": "c",
        "replay_batch_id": "earlier",
    }
    stored = StoredObject(key="k.md", size=5, content_type="text/markdown", modified_at=AT, metadata=sidecar)
    message = of_object(stored, replay())
    assert (message.key, message.size) == ("k.md", 5)
    assert message.payload == {"title": "T", "document_id": "d", "fingerprint": "f", "object_key": "k.md"}
    assert message.metadata == {
        "title": "T",
        "document_id": "d",
        "original_object_key": "k.md",
        "source_correlation_id": "c",
        "execution_id": str(PARENT),
        "replay_batch_id": str(BATCH),
    }
    assert batch_of(message.metadata) == BATCH


def test_a_sidecar_that_is_too_long_stays_where_it_is() -> None:
    stored = StoredObject(
        key="k", size=1, content_type="a/b", modified_at=AT, metadata={"notes": "x" * 100_000, "title": "T"}
    )
    assert of_object(stored, replay()).payload == {"object_key": "k"}


def test_a_replayed_message_has_its_payload_and_belongs_to_the_new_batch() -> None:
    earlier = Message(
        id=UUID(int=1),
        execution_id=PARENT,
        route_id="embed",
        payload={"a": 1},
        metadata={"url": "u", "tenant": 5, "replay_batch_id": str(UUID(int=2))},
        parent_correlation_id=UUID(int=3),
    )
    again = of_message(earlier, replay())
    assert (again.key, again.payload) == (str(UUID(int=1)), {"a": 1})
    assert (again.metadata["tenant"], batch_of(again.metadata)) == (5, BATCH)
    assert again.metadata["source_correlation_id"] == str(UUID(int=3))


@pytest.mark.parametrize("value", [None, 5, "x", {}, []])
def test_what_is_no_batch_id_is_none(value: Any) -> None:
    assert batch_of({"replay_batch_id": value}) is None
    assert batch_of({}) is None
