"""What every ``SegmentIndex`` does."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from uuid import uuid4

import pytest

from adapters.memory.segment_index import MemorySegmentIndex
from adapters.postgres.segment_index import PostgresSegmentIndex
from domain.document import DimensionMismatch, segment_id
from domain.match import SearchFilter
from domain.retrieval.bm25 import Bm25, Corpus
from tests.contracts.segment_indexes import EVERYTHING, SLOT, Indexes, embedded, indexes

__all__ = ["MemorySegmentIndex", "PostgresSegmentIndex", "indexes"]

HOSTILE = [
    "",
    " \t\n",
    "?!.,;:()[]{}<>\"'`~@#$%^&*-_=+|\\/",
    "\x00",
    "zebra\x00",
    "\ud800 lone",
    "'; DROP TABLE segment; --",
    "a & b | !c <-> d:*",
    "%s %(words)s {} {restrictions}",
    "zebra " * 1700,
    "é" * 10_000,
    "\U0001f600" * 5_000,
    " ".join(f"word{number}" for number in range(1_400)),
]


async def test_a_segment_is_found_by_meaning_and_by_word(indexes: Indexes) -> None:
    """And comes back as it was put in, with its document."""
    (segment,) = await indexes.indexed("d", "zebras graze", title="Animals", metadata={"shelf": 3})
    assert await indexes.nearest(1.0, 0.0) == [segment.id]
    assert await indexes.found("zebras") == [segment.id]
    found = (await indexes.segments.fetch([segment.id]))[segment.id]
    assert found.segment == segment.segment
    assert (found.document.title, found.document.version, found.document.segments) == ("Animals", 1, 1)
    assert found.document.metadata == {"shelf": 3}
    assert found.document.indexed_at is not None


async def test_nothing_of_a_version_is_seen_before_its_last_segment(indexes: Indexes) -> None:
    """Readers see whole documents only."""
    opened = await indexes.opened("d", expected=2)
    first, last = embedded(opened, "zebra one", "zebra two")
    await indexes.segments.index([first])
    assert await indexes.found("zebra") == []
    assert await indexes.nearest(1.0, 0.0) == []
    assert await indexes.segments.fetch([first.id]) == {}
    assert (await indexes.segments.slots(), await indexes.segments.origins()) == ({}, {})
    await indexes.segments.index([last])
    assert set(await indexes.found("zebra")) == {first.id, last.id}
    assert (await indexes.segments.slots(), await indexes.segments.origins()) == ({SLOT: 2}, {"shelf": 1})


async def test_a_segment_put_in_again_changes_nothing(indexes: Indexes) -> None:
    """Neither before its version is complete nor after, nor twice in one batch."""
    opened = await indexes.opened("d", expected=2)
    first, last = embedded(opened, "zebra one", "zebra two")
    await indexes.segments.index([first, first])
    await indexes.segments.index([first])
    assert await indexes.found("zebra") == []
    await indexes.segments.index([last, first, last])
    before = await indexes.segments.keyword("zebra two", limit=10, where=EVERYTHING)
    await indexes.segments.index([first, last])
    assert await indexes.segments.keyword("zebra two", limit=10, where=EVERYTHING) == before


async def test_a_new_version_takes_the_place_of_the_old_one_at_once(indexes: Indexes) -> None:
    """Nothing of the old version is found, and its words no longer count."""
    await indexes.indexed("d", "lions roar", "lions sleep", fingerprint="old")
    opened = await indexes.opened("d", expected=2, fingerprint="new")
    roar, graze = embedded(opened, "lions roar", "zebras graze")
    await indexes.segments.index([roar])
    assert len(await indexes.found("lions")) == 2
    await indexes.segments.index([graze])
    assert await indexes.found("lions") == [roar.id]
    assert await indexes.found("sleep") == []
    assert set(await indexes.nearest(1.0, 0.0)) == {roar.id, graze.id}
    assert await indexes.segments.slots() == {SLOT: 2}
    assert (await indexes.segments.fetch([roar.id]))[roar.id].document.version == 2


async def test_segments_of_an_older_version_are_ignored(indexes: Indexes) -> None:
    """A late redelivery cannot bring an old version back, complete or not."""
    old = await indexes.opened("d", expected=2, fingerprint="old")
    first, last = embedded(old, "lions roar", "lions sleep")
    await indexes.segments.index([first])
    await indexes.indexed("d", "zebras graze", fingerprint="new")
    await indexes.segments.index([first, last])
    assert await indexes.found("lions zebras") == [segment_id("d", "zebras graze", 0)]


async def test_segments_of_a_removed_document_are_ignored(indexes: Indexes) -> None:
    """They count towards no later version of it either."""
    old = await indexes.opened("d", fingerprint="old")
    (late,) = embedded(old, "lions roar")
    assert await indexes.documents.remove("d")
    await indexes.segments.index([late])
    assert await indexes.found("lions") == []
    again = await indexes.opened("d", fingerprint="new")
    await indexes.segments.index([late])
    assert await indexes.found("lions") == []
    await indexes.segments.index(embedded(again, "zebras graze"))
    assert len(await indexes.found("lions zebras")) == 1


async def test_segments_of_a_document_never_opened_are_ignored(indexes: Indexes) -> None:
    """And keep no one from the rest of their batch."""
    opened = await indexes.opened("d")
    stranger = replace(embedded(opened, "lions roar")[0], document_id="stranger")
    await indexes.segments.index([stranger, *embedded(opened, "zebras graze")])
    assert len(await indexes.found("lions zebras")) == 1


async def test_a_complete_version_takes_no_further_segments(indexes: Indexes) -> None:
    """It was complete with those it expected."""
    await indexes.indexed("d", "zebras graze")
    opened = await indexes.opened("d")
    await indexes.segments.index(embedded(opened, "lions roar"))
    assert await indexes.found("lions") == []


async def test_slots_are_apart(indexes: Indexes) -> None:
    """A segment may stand in several, each of its own dimension; words are counted once."""
    opened = await indexes.opened("d")
    await indexes.segments.index(embedded(opened, "zebras graze"))
    (wide,) = embedded(opened, "zebras graze", model_name="wide", vectors=[(0.0, 0.0, 1.0)])
    await indexes.segments.index([wide])
    assert await indexes.segments.slots() == {SLOT: 1, "wide": 1}
    assert await indexes.nearest(0.0, 0.0, 1.0, slot="wide") == [wide.id]
    assert await indexes.nearest(1.0, 0.0, slot="unknown") == []
    assert await indexes.found("zebras") == [wide.id]


async def test_a_vector_of_another_length_is_refused(indexes: Indexes) -> None:
    """When it is put in and when it is asked for; the batch it came in changes nothing."""
    await indexes.indexed("d", "zebras graze")
    opened = await indexes.opened("e", expected=2)
    good, bad = embedded(opened, "lions roar", "lions sleep", vectors=[(1.0, 0.0), (1.0, 0.0, 0.0)])
    for batch in ([bad], [good, bad], [replace(bad, vector=())]):
        with pytest.raises(DimensionMismatch):
            await indexes.segments.index(batch)
    with pytest.raises(DimensionMismatch):
        await indexes.nearest(1.0, 0.0, 0.0)
    await indexes.segments.index([good, replace(bad, vector=(0.0, 1.0))])
    assert len(await indexes.nearest(1.0, 0.0)) == 3


async def test_the_nearest_come_first_with_their_cosine(indexes: Indexes) -> None:
    """Ties go by segment id; a vector of no length is like none."""
    opened = await indexes.opened("d", expected=4)
    vectors = [(0.0, 1.0), (1.0, 0.0), (1.0, 0.0), (0.0, 0.0)]
    side, one, other, nothing = embedded(opened, "a", "b", "c", "d", vectors=vectors)
    await indexes.segments.index([side, one, other, nothing])
    found = await indexes.segments.semantic((1.0, 0.0), model_name=SLOT, limit=4, where=EVERYTHING)
    first, second = sorted([one.id, other.id])
    third, fourth = sorted([side.id, nothing.id])
    assert [candidate.segment_id for candidate in found] == [first, second, third, fourth]
    assert [candidate.score for candidate in found] == pytest.approx([1.0, 1.0, 0.0, 0.0], abs=1e-3)
    assert await indexes.nearest(1.0, 0.0, limit=1) == [first]


async def test_scores_are_those_of_bm25(indexes: Indexes) -> None:
    """Exactly, over words that have no stems to differ by."""
    texts = ["red red blue", "blue green", "green green green red", "black", "red blue green black"]
    for number, text in enumerate(texts):
        await indexes.indexed(f"d{number}", text)
    counts = {segment_id(f"d{number}", text, 0): Counter(text.split()) for number, text in enumerate(texts)}
    corpus = Corpus(segments=5, total_length=sum(count.total() for count in counts.values()))
    frequencies = Counter(word for count in counts.values() for word in count)
    expected = {
        key: Bm25().score(["red", "blue", "white"], count, corpus=corpus, frequencies=frequencies)
        for key, count in counts.items()
    }
    found = await indexes.segments.keyword("Red, blue? white! RED", limit=10, where=EVERYTHING)
    assert {candidate.segment_id: candidate.score for candidate in found} == pytest.approx(
        {key: score for key, score in expected.items() if score}
    )
    order = sorted(found, key=lambda candidate: (-candidate.score, candidate.segment_id))
    assert list(found) == order


async def test_equal_scores_go_by_segment_id(indexes: Indexes) -> None:
    """Also where the limit cuts through them."""
    ids = sorted([(await indexes.indexed(f"d{number}", "zebra"))[0].id for number in range(7)])
    assert await indexes.found("zebra") == ids
    assert await indexes.found("zebra", limit=3) == ids[:3]
    assert await indexes.found("zebra", limit=3, where=SearchFilter(origins=["shelf"])) == ids[:3]


async def test_a_filter_leaves_the_scores_as_they_are(indexes: Indexes) -> None:
    """How rare a word is does not depend on where one looks."""
    await indexes.indexed("d", "zebra", "zebra lion")
    await indexes.indexed("e", "zebra lion", origin="attic")
    everywhere = await indexes.segments.keyword("lion", limit=10, where=EVERYTHING)
    attic = await indexes.segments.keyword("lion", limit=10, where=SearchFilter(origins=["attic"]))
    assert [candidate for candidate in everywhere if candidate in attic] == list(attic)
    assert len(attic) == 1


async def test_filters_join(indexes: Indexes) -> None:
    """Each restricts; a list admits any of its values."""
    run = uuid4()
    opened = await indexes.opened("d", origin="attic", language="de")
    (old,) = embedded(opened, "zebra", execution_id=run)
    await indexes.segments.index([old])
    (new,) = await indexes.indexed("e", "zebra")
    cases = {
        SearchFilter(origins=("attic",)): [old.id],
        SearchFilter(origins=("attic", "shelf")): sorted([old.id, new.id]),
        SearchFilter(document_ids=("e",)): [new.id],
        SearchFilter(execution_ids=(run,)): [old.id],
        SearchFilter(language="de"): [old.id],
        SearchFilter(language="de", origins=("shelf",)): [],
        SearchFilter(origins=("attic\x00",), document_ids=("';--",)): [],
    }
    for where, expected in cases.items():
        assert sorted(await indexes.found("zebra", where=where)) == expected, where
        assert sorted(await indexes.nearest(1.0, 0.0, where=where)) == expected, where


async def test_headings_and_titles_are_found_once(indexes: Indexes) -> None:
    """Their words match, unless they stand in the text anyway: then they count once."""
    opened = await indexes.opened("d", title="Savannah zebras")
    (segment,) = embedded(opened, "Savannah zebras graze")
    segment = replace(segment, segment=replace(segment.segment, heading_path=("Fodder", "Savannah zebras")))
    await indexes.segments.index([segment])
    (plain,) = await indexes.indexed("e", "fodder savannah zebras graze")
    found = await indexes.segments.keyword("zebras fodder", limit=2, where=EVERYTHING)
    assert [candidate.segment_id for candidate in found] == sorted([segment.id, plain.id])
    assert found[0].score == found[1].score


@pytest.mark.parametrize("query", HOSTILE, ids=range(len(HOSTILE)))
async def test_hostile_queries_do_no_harm(indexes: Indexes, query: str) -> None:
    """They find what words they have, quickly, and nothing breaks."""
    (segment,) = await indexes.indexed("d", "zebra")
    async with asyncio.timeout(5):
        found = await indexes.found(query)
    assert found == ([segment.id] if "zebra" in query else [])


async def test_hostile_texts_are_found(indexes: Indexes) -> None:
    """What a database cannot hold is replaced, character by character."""
    text = "zebra\x00 \ud800 " + "x" * 5000 + " \U0001f600 " + "word " * 20_000
    opened = await indexes.opened("d\x00", title="t\x00", origin="o\ud800", fingerprint="f")
    (segment,) = embedded(opened, "zebra")
    segment = replace(segment, document_id="d\x00", segment=replace(segment.segment, text=text))
    await indexes.segments.index([segment])
    assert await indexes.found("zebra") == [segment.id]
    found = (await indexes.segments.fetch([segment.id]))[segment.id]
    assert len(found.segment.text) == len(text)


async def test_a_script_without_spaces_is_found(indexes: Indexes) -> None:
    """By any two of its characters that stand together."""
    (segment,) = await indexes.indexed("d", "東京都の人口は多い", language="ja")
    assert await indexes.found("人口") == [segment.id]
    assert await indexes.found("京人") == []


async def test_words_are_compared_by_their_stems_in_the_documents_language(indexes: Indexes) -> None:
    """As they stand in a language without a stemmer (Polish); a query of nothing but stop words finds nothing."""
    if not indexes.stems:
        return
    (english,) = await indexes.indexed("e", "the wings were swept", language="en")
    (german,) = await indexes.indexed("g", "die Flügel waren gepfeilt", language="de")
    (norwegian,) = await indexes.indexed("n", "båtene ligger ved kaia", language="no")
    (polish,) = await indexes.indexed("p", "samoloty latają nisko", language="pl")
    assert await indexes.found("wing") == [english.id]
    assert await indexes.found("FLÜGELS") == [german.id]
    assert await indexes.found("båten") == [norwegian.id]
    assert await indexes.found("Samoloty") == [polish.id]
    assert await indexes.found("samolot") == []
    assert await indexes.found("the were") == []
    assert await indexes.found("båten wing", where=SearchFilter(language="no")) == [norwegian.id]
    assert await indexes.found("wing", where=SearchFilter(language="xx")) == []


async def test_a_language_is_searched_as_soon_as_it_is_there(indexes: Indexes) -> None:
    """And no longer where its last document is gone."""
    wing, fluegels = ("wing", "FLÜGELS") if indexes.stems else ("wings", "FLÜGEL")
    assert await indexes.found(wing) == []
    (english,) = await indexes.indexed("e", "the wings were swept", language="en")
    assert await indexes.found(wing) == [english.id]
    (german,) = await indexes.indexed("g", "die Flügel waren gepfeilt", language="de")
    assert await indexes.found(fluegels) == [german.id]
    await indexes.documents.remove("g")
    assert await indexes.found(fluegels) == []
    assert await indexes.found(wing) == [english.id]


async def test_highlights_point_at_the_words_of_the_query(indexes: Indexes) -> None:
    """In the text alone, by the stems of the document's language where there are stems."""
    texts = {
        "en": "The wings, swept: a WING",
        "de": "Die Flügel der Vögel",
        "no": "Bøkene om båter",
        "ja": "東京都の人口",
    }
    made = {
        language: (await indexes.indexed(language, text, language=language, title="wing"))[0].id
        for language, text in texts.items()
    }
    found = await indexes.segments.fetch(list(made.values()), query="wing Flügels vogel båter 人口 the")
    marked = {
        language: [texts[language][start:end] for start, end in found[key].highlights]
        for language, key in made.items()
    }
    if indexes.stems:
        assert marked == {
            "en": ["wings", "WING"],
            "de": ["Flügel", "Vögel"],
            "no": ["båter"],
            "ja": ["人口"],
        }
    else:
        assert marked == {"en": ["The", "WING"], "de": [], "no": ["båter"], "ja": ["人口"]}
    assert {
        segment.highlights for segment in (await indexes.segments.fetch(list(made.values()))).values()
    } == {()}
    assert not any(
        segment.highlights
        for segment in (await indexes.segments.fetch(list(made.values()), query="?")).values()
    )


async def test_vectors_are_those_of_the_slot(indexes: Indexes) -> None:
    """Of segments that are there and in it."""
    first, second = await indexes.indexed("d", "zebra", "lion")
    found = await indexes.segments.vectors([first.id, second.id, uuid4()], model_name=SLOT)
    assert {key: list(vector) for key, vector in found.items()} == {
        first.id: pytest.approx([1.0, 0.0]),
        second.id: pytest.approx([1.0, 0.25]),
    }
    assert await indexes.segments.vectors([first.id], model_name="unknown") == {}


async def test_concurrent_batches_neither_block_each_other_nor_count_twice(indexes: Indexes) -> None:
    """Many documents' segments in every order, each delivered three times at once."""
    opened = [await indexes.opened(f"d{number}", expected=8) for number in range(12)]
    texts = [f"zebra number{number}" for number in range(8)]
    segments = [embedded(document, *texts) for document in opened]
    forward = [[segments[d][s] for d in range(12)] for s in range(8)]
    backward = [list(reversed(batch)) for batch in forward]
    whole = [list(document) for document in segments]
    async with asyncio.timeout(20):
        await asyncio.gather(*(indexes.segments.index(batch) for batch in forward + backward + whole))
    assert len(await indexes.found("zebra", limit=1000)) == 96
    assert await indexes.segments.slots() == {SLOT: 96}
    (count, *_) = await indexes.segments.keyword("number3", limit=1, where=EVERYTHING)
    corpus = Corpus(segments=96, total_length=192)
    expected = Bm25().score(
        ["number3"], {"zebra": 1, "number3": 1}, corpus=corpus, frequencies={"number3": 12}
    )
    assert count.score == pytest.approx(expected)


async def test_versions_opened_and_filled_at_once_leave_one_current(indexes: Indexes) -> None:
    """Re-ingestion by several runs at a time: the newest complete version is what is left."""

    async def ingest(number: int) -> None:
        opened = await indexes.opened("d", expected=3, fingerprint=f"f{number}")
        segments = embedded(opened, *(f"zebra number{number} part{part}" for part in range(3)))
        await asyncio.gather(*(indexes.segments.index([segment]) for segment in segments))

    async with asyncio.timeout(20):
        await asyncio.gather(*(ingest(number) for number in range(8)))
    current = await indexes.documents.current("d")
    found = await indexes.segments.fetch(await indexes.found("zebra"))
    assert current.version == 8
    assert {segment.document.version for segment in found.values()} == {8}
    assert len(found) == 3
