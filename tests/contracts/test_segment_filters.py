"""Filters over metadata and fields: every ``SegmentIndex`` admits exactly what plain Python does."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.match import SearchFilter
from domain.retrieval.search_filters import search_filter
from tests.contracts.filters import admitted, filters, metadata
from tests.contracts.segment_indexes import SLOT, Indexes, embedded, indexes

__all__ = ["indexes"]

DOCUMENTS = 12
ROUNDS = 6


@dataclass
class Drawn:
    """What hypothesis thought of."""

    documents: list[dict[str, Any]]
    filters: list[dict[str, Any]]


def drawn(rounds: int) -> list[Drawn]:
    """Several collections with filters for each. Drawn at once, since an index cannot be asked from within."""
    found: list[Drawn] = []

    @settings(max_examples=rounds, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(
        st.lists(metadata, min_size=DOCUMENTS, max_size=DOCUMENTS),
        st.lists(filters, min_size=40, max_size=40),
    )
    def draw(documents: list[dict[str, Any]], conditions: list[dict[str, Any]]) -> None:
        found.append(Drawn(documents, conditions))

    draw()
    return found


async def test_a_filter_admits_what_plain_python_admits(indexes: Indexes) -> None:
    """Whatever the metadata and the filter; of either side, and as many as there are up to the limit."""
    for turn, case in enumerate(drawn(ROUNDS)):
        values: dict[UUID, dict[str, Any]] = {}
        for number, held in enumerate(case.documents):
            origin = "attic" if number % 3 else "shelf"
            (segment,) = await indexes.indexed(
                f"d{number}", "zebra", origin=origin, metadata=held, fingerprint=f"{turn}"
            )
            values[segment.id] = {"origin": origin, "metadata": held}
        for given_filter in case.filters:
            where = search_filter(given_filter)
            expected = sorted(key for key, value in values.items() if admitted(given_filter, value))
            assert sorted(await indexes.found("zebra", where=where)) == expected, given_filter
            assert sorted(await indexes.nearest(1.0, 0.0, where=where)) == expected, given_filter
            few = await indexes.nearest(1.0, 0.0, where=where, limit=3)
            assert len(few) == min(3, len(expected)), given_filter


async def test_each_field_can_be_asked_for(indexes: Indexes) -> None:
    """By value, by pattern, by order, and whether there is any."""
    run = uuid4()
    opened = await indexes.opened(
        "d", title="Über Zebras", url="https://example.org/a_b", origin="attic", language="de"
    )
    (old,) = embedded(opened, "zebra", execution_id=run)
    await indexes.segments.index([old])
    (new,) = await indexes.indexed("e", "zebra", title="Lions", language="en")
    soon = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    both = sorted([old.id, new.id])
    cases: list[tuple[dict[str, Any], list[UUID]]] = [
        ({"origin": "attic"}, [old.id]),
        ({"origin": {"ne": "attic"}}, [new.id]),
        ({"document_id": {"gt": "d"}}, [new.id]),
        ({"execution_id": str(run)}, [old.id]),
        ({"execution_id": {"exists": False}}, [new.id]),
        ({"execution_id": {"nin": [str(run)]}}, [new.id]),
        ({"language": {"in": ["de", "no"]}}, [old.id]),
        ({"language": "de"}, [old.id]),
        ({"title": {"like": "Über%"}}, [old.id]),
        ({"url": {"like": "%a\\_b"}}, [old.id]),
        ({"indexed_at": {"gt": "2026-01-01", "lt": soon}}, both),
        ({"indexed_at": {"gt": soon}}, []),
        ({"not": {"or": [{"title": "Lions"}, {"origin": "cellar"}]}}, [old.id]),
        ({"origins": ["attic"], "metadata.x": {"exists": False}}, [old.id]),
        ({"origins": [], "language": None}, both),
        ({}, both),
        ({"origin": "'; DROP TABLE segment; --%s{}"}, []),
        ({"metadata.%s{}'; --": {"like": "%"}}, []),
    ]
    for condition, expected in cases:
        where = search_filter(condition)
        assert sorted(await indexes.found("zebra", where=where)) == expected, condition
        assert sorted(await indexes.nearest(1.0, 0.0, where=where)) == expected, condition


async def test_a_language_is_one_however_a_filter_writes_it(indexes: Indexes) -> None:
    """Both forms of Norwegian, large letters and regions, of filters and of documents; what is no tag stays."""
    kept = {
        "no": (await indexes.indexed("n", "zebra", language="no"))[0].id,
        "nn": (await indexes.indexed("m", "zebra", language="nn-NO"))[0].id,
        "en": (await indexes.indexed("e", "zebra", language="en"))[0].id,
        "old": (await indexes.indexed("o", "zebra", language="Klingon"))[0].id,
    }
    norwegian, others = sorted([kept["no"], kept["nn"]]), sorted([kept["en"], kept["old"]])
    cases: list[tuple[dict[str, Any], list[UUID]]] = [
        *(({"language": tag}, norwegian) for tag in ("nb", "NB", "nb-NO", "nn_NO", "no")),
        ({"language": ["nb", "nn"]}, norwegian),
        ({"language": {"in": ["nb"]}}, norwegian),
        ({"language": {"eq": "nb"}}, norwegian),
        ({"language": {"ne": "NB"}}, others),
        ({"language": {"nin": ["nn-NO", "EN-us"]}}, [kept["old"]]),
        ({"or": [{"language": "nb"}, {"language": "en_GB"}]}, sorted([*norwegian, kept["en"]])),
        ({"not": {"language": "nb"}}, others),
        ({"language": {"like": "nb%"}}, []),
        ({"language": {"eq": "Klingon"}}, [kept["old"]]),
        ({"language": "Klingon"}, [kept["old"]]),
    ]
    for condition, expected in cases:
        where = search_filter(condition)
        assert sorted(await indexes.nearest(1.0, 0.0, where=where)) == expected, condition
        assert sorted(await indexes.found("zebra", where=where)) == expected, condition


async def test_a_filter_joins_what_the_caller_restricts_to(indexes: Indexes) -> None:
    """Both must hold."""
    await indexes.indexed("d", "zebra", metadata={"year": 2020})
    (kept,) = await indexes.indexed("e", "zebra", metadata={"year": 2020}, origin="attic")
    condition = search_filter({"metadata.year": 2020}).condition
    where = SearchFilter(origins=("attic",), condition=condition)
    assert await indexes.nearest(1.0, 0.0, where=where, slot=SLOT) == [kept.id]


@pytest.mark.parametrize("is_known", [True, False])
async def test_a_config_admits_what_its_executions_indexed(indexes: Indexes, is_known: bool) -> None:
    """An execution that is not known belongs to none; one that is forgotten since still counts."""
    run, config = uuid4(), uuid4()
    if is_known:
        await indexes.executed(run, config)
    opened = await indexes.opened("d", execution_id=run)
    (segment,) = embedded(opened, "zebra", execution_id=run)
    await indexes.segments.index([segment])
    await indexes.indexed("e", "zebra")
    await indexes.forgotten(run)
    where = search_filter({"config_id": str(config)})
    assert await indexes.found("zebra", where=where) == ([segment.id] if is_known else [])
    assert len(await indexes.found("zebra", where=search_filter({"config_id": {"ne": str(config)}}))) == (
        1 if is_known else 2
    )
