"""The pipeline adapters that carry a document from storage to its segments."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from adapters.pipeline.document_enumerator import NothingToEnumerate, UploadNotFound
from adapters.pipeline.document_payload import UnreadableDocumentMessage
from adapters.pipeline.file_content import FileVanished
from adapters.pipeline.file_selection import FileSelection
from application.ports.pipeline_adapter import AdapterResult
from domain.document import EmptyDocument, UnreadableDocument, document_id
from domain.findings import InvalidAdapterConfig
from domain.json import JsonObject
from domain.storage import ObjectNotFound
from tests.made_files import pdf
from tests.pipeline_contexts import EXECUTION, Ground, ground, payloads

__all__ = ["ground"]

ORIGIN = "uploads:uploads/set/"


async def uploaded(ground: Ground, *names: str, content: bytes = b"# Title\n\nSome words.") -> None:
    for name in names:
        await ground.storage.write(f"uploads/set/{name}", content)


def file_message(name: str = "a.md", **further: str | bool) -> JsonObject:
    return {
        "document_id": "d",
        "origin": ORIGIN,
        "name": name,
        "object_key": f"uploads/set/{name}",
        **further,
    }


async def names(ground: Ground, message: JsonObject, config: JsonObject | None = None) -> list[object]:
    found = payloads(await ground.emitted("document_enumerator", message, config))
    return ["gone" if payload.get("removed") else payload["name"] for payload in found]


async def test_an_uploaded_set_is_enumerated_by_its_prefix(ground: Ground) -> None:
    """One message per readable file, with where it is and what to call it."""
    await uploaded(ground, "b.md", "a/c.txt", "x.bin", ".hidden.md", "a/.git/d.md")
    emissions = await ground.emitted("document_enumerator", {"prefix": "uploads/set"})
    first, second = payloads(emissions)
    id_ = document_id(ORIGIN, "a/c.txt")
    assert first["document_id"] == id_
    assert (first["origin"], first["name"], first["object_key"]) == (ORIGIN, "a/c.txt", "uploads/set/a/c.txt")
    assert (first["size"], second["name"]) == (20, "b.md")
    assert emissions[0].metadata == {"origin": ORIGIN, "url": "a/c.txt", "document_id": id_}
    assert len({emission.key for emission in emissions}) == 2


async def test_enumerating_again_gives_the_same_ids_and_keys(ground: Ground) -> None:
    """So that a second attempt changes nothing."""
    await uploaded(ground, "a.md", "b.md")
    message: JsonObject = {"prefix": "uploads/set/"}
    assert await ground.emitted("document_enumerator", message) == await ground.emitted(
        "document_enumerator", message
    )


async def test_what_is_gone_from_an_origin_is_emitted_as_removed(ground: Ground) -> None:
    """After the files; other origins are not touched."""
    await uploaded(ground, "a.md")
    await ground.indexed(document_id(ORIGIN, "a.md"), origin=ORIGIN)
    await ground.indexed("gone", origin=ORIGIN)
    await ground.indexed("elsewhere", origin="another")
    last = (await ground.emitted("document_enumerator", {"prefix": "uploads/set/"}))[-1]
    assert last.payload == {"document_id": "gone", "origin": ORIGIN, "removed": True}
    assert await names(ground, {"prefix": "uploads/set/"}) == ["a.md", "gone"]


async def test_patterns_of_a_message_do_not_remove_what_they_leave_out(ground: Ground) -> None:
    """They narrow one run; those of the config say what the origin consists of."""
    await uploaded(ground, "a.md", "b.txt")
    for name in ("b.txt", "c.txt", "c.md"):
        await ground.indexed(document_id(ORIGIN, name), origin=ORIGIN, url=name)
    message: JsonObject = {"prefix": "uploads/set/", "patterns": ["*.md"]}
    emitted = payloads(await ground.emitted("document_enumerator", message))
    assert [payload["document_id"] for payload in emitted] == [
        document_id(ORIGIN, name) for name in ("a.md", "c.md")
    ]
    assert await names(ground, {"prefix": "uploads/set/"}, {"patterns": ["*.md"]}) == ["a.md", *["gone"] * 3]


@pytest.mark.parametrize(
    ("message", "error"),
    [
        ({}, NothingToEnumerate),
        ({"folder": "/a", "prefix": "b"}, NothingToEnumerate),
        ({"folder": "relative/folder"}, NothingToEnumerate),
        ({"prefix": ""}, NothingToEnumerate),
        ({"prefix": "/"}, NothingToEnumerate),
        ({"prefix": "uploads/none"}, UploadNotFound),
        ({"prefix": "uploads/set/", "patterns": [""]}, UnreadableDocumentMessage),
    ],
)
async def test_a_request_that_names_nothing_fails_the_run(
    ground: Ground, message: JsonObject, error: type[Exception]
) -> None:
    """With an error, not with an empty enumeration."""
    await uploaded(ground, "a.md")
    with pytest.raises(error):
        await ground.run("document_enumerator", message)


@pytest.mark.parametrize(
    ("patterns", "exclude", "taken"),
    [
        ((), (), ["a.md", "x/b.md", "x/y/c.txt"]),
        (("*.md",), (), ["a.md", "x/b.md"]),
        (("**/*.md",), (), ["a.md", "x/b.md"]),
        (("x/*",), (), ["x/b.md", "x/y/c.txt"]),
        (("*",), ("x",), ["a.md"]),
        ((), ("x/y/*", "a.*"), ["x/b.md"]),
        (("[!a].md",), (), ["x/b.md"]),
    ],
)
def test_patterns_select_files(patterns: tuple[str, ...], exclude: tuple[str, ...], taken: list[str]) -> None:
    """By name or by path; an excluded folder takes what is beneath it along."""
    selection = FileSelection(
        patterns=patterns, exclude=exclude, supports=lambda name: not name.endswith(".bin")
    )
    files = ["a.md", "x/b.md", "x/y/c.txt", "x/z.bin", ".a.md"]
    assert [name for name in files if selection.takes(name)] == taken


async def test_a_file_is_read_with_its_provenance(ground: Ground) -> None:
    """Title, language and fingerprint go with the text."""
    await uploaded(ground, "a.md", content=b"# Der Titel\n\nDas ist nicht viel Text, aber es ist genug.")
    result = await ground.run("document_reader", file_message())
    assert result is not None
    assert result.message["markdown"] == "# Der Titel\n\nDas ist nicht viel Text, aber es ist genug."
    assert (result.message["language"], result.message["format"]) == ("de", "markdown")
    assert result.metadata == {"origin": ORIGIN, "url": "a.md", "title": "Der Titel", "document_id": "d"}


async def test_a_file_without_title_is_called_by_its_name(ground: Ground) -> None:
    """Without folder and ending."""
    await uploaded(ground, "x/some.notes.txt", content=b"words")
    assert (await ground.passed("document_reader", file_message("x/some.notes.txt")))["title"] == "some.notes"


async def test_what_the_index_has_as_it_is_goes_no_further(ground: Ground) -> None:
    """Nothing is read and embedded again unless content or settings have changed."""
    await uploaded(ground, "a.md")
    fingerprint = (await ground.passed("document_reader", file_message()))["fingerprint"]
    await ground.indexed("d", origin=ORIGIN, fingerprint=str(fingerprint))
    assert await ground.run("document_reader", file_message()) is None
    assert await ground.run("document_reader", file_message(), {"fingerprint": "2"}) is not None
    await uploaded(ground, "a.md", content=b"changed")
    assert await ground.run("document_reader", file_message()) is not None


async def test_a_removed_document_leaves_the_index(ground: Ground) -> None:
    """Its message ends there, whether there was one or not."""
    await ground.indexed("d", origin=ORIGIN)
    for _ in range(2):
        assert await ground.run("document_reader", {"document_id": "d", "removed": True}) is None
        assert await ground.documents.ids(ORIGIN) == []


@pytest.mark.parametrize(("content", "error"), [(None, FileVanished), (b" \n", EmptyDocument)])
async def test_a_file_that_is_gone_or_empty_leaves_the_index_and_says_so(
    ground: Ground, content: bytes | None, error: type[Exception]
) -> None:
    """It is one dead message with its reason."""
    if content is not None:
        await uploaded(ground, "a.md", content=content)
    await ground.indexed("d", origin=ORIGIN)
    with pytest.raises(error):
        await ground.run("document_reader", file_message())
    assert await ground.documents.ids(ORIGIN) == []


async def test_a_file_that_cannot_be_read_stays_in_the_index_as_it_was(ground: Ground) -> None:
    """What was known of it is better than nothing."""
    await uploaded(ground, "a.pdf", content=b"broken")
    await ground.indexed("d", origin=ORIGIN)
    with pytest.raises(UnreadableDocument, match="not a PDF"):
        await ground.run("document_reader", file_message("a.pdf"))
    assert await ground.documents.ids(ORIGIN) == ["d"]


async def test_a_file_over_the_limit_is_refused_with_both_figures(ground: Ground) -> None:
    """Before it is read."""
    await uploaded(ground, "a.md", content=b"x" * 2_000)
    with pytest.raises(UnreadableDocument, match=r"2,000 bytes; the limit is 1,000"):
        await ground.run("document_reader", file_message(), {"max_file_bytes": 1_000})
    (emission,) = await ground.emitted(
        "document_enumerator", {"prefix": "uploads/set/"}, {"max_file_bytes": 1_000}
    )
    assert emission.payload["problem"] == "the file has 2,000 bytes; the limit is 1,000"


async def test_a_known_problem_is_the_reason(ground: Ground) -> None:
    """What the enumeration could not read fails here, where it becomes a dead message."""
    with pytest.raises(UnreadableDocument, match=r"a\.md: the folder cannot be read"):
        await ground.run("document_reader", file_message(problem="the folder cannot be read"))


async def kept(ground: Ground, name: str, content: bytes) -> JsonObject:
    """The message after the route ``read``."""
    await uploaded(ground, name, content=content)
    return await ground.passed(
        "markdown_storage_writer", await ground.passed("document_reader", file_message(name))
    )


async def test_the_text_is_kept_and_its_key_passed_on(ground: Ground) -> None:
    """The message is small; the sidecar has the rest."""
    message = await kept(ground, "a.md", b"# Title\n\nSome words.")
    assert set(message) == {"document_id", "object_key"}
    stored = await ground.storage.head(str(message["object_key"]))
    assert stored.key.startswith(f"executions/{EXECUTION}/route/markdown/")
    assert stored.key.endswith(".md")
    assert await ground.storage.read(stored.key) == b"# Title\n\nSome words."
    assert (stored.metadata["title"], stored.metadata["url"], stored.metadata["language"]) == (
        "Title", "a.md", "en",
    )  # fmt: skip


async def test_a_replay_needs_the_key_alone(ground: Ground) -> None:
    """Text, pages and provenance come from storage."""
    content = pdf(["First page", "Second page"])
    key = (await kept(ground, "a.pdf", content))["object_key"]
    result = await ground.run("storage_retriever", {"object_key": key})
    assert result is not None
    assert result.message["markdown"] == "First page\n\nSecond page"
    assert result.message["page_starts"] == [0, 12]
    assert result.metadata == {"origin": ORIGIN, "url": "a.pdf", "title": "a", "document_id": "d"}


async def test_an_object_without_sidecar_is_a_document_by_itself(ground: Ground) -> None:
    """Any text in storage can be taken in."""
    await ground.storage.write("some/notes.md", b"words")
    message = await ground.passed("storage_retriever", {"object_key": "some/notes.md"})
    assert (message["title"], message["url"], message["origin"]) == ("notes", "some/notes.md", "objects")
    assert message["document_id"] == document_id("objects", "some/notes.md")
    assert message["fingerprint"]


async def test_what_cannot_be_retrieved_says_why(ground: Ground) -> None:
    """Absent, not text, not an object."""
    with pytest.raises(ObjectNotFound):
        await ground.run("storage_retriever", {"object_key": "none"})
    await ground.storage.write("a.md", b"\xff")
    with pytest.raises(UnreadableDocument, match="UTF-8"):
        await ground.run("storage_retriever", {"object_key": "a.md"})
    await ground.storage.write("a.json", b"[1]", content_type="application/json")
    with pytest.raises(UnreadableDocument, match="JSON object"):
        await ground.run("storage_retriever", {"object_key": "a.json"})


async def segmented(ground: Ground, text: str, config: JsonObject | None = None) -> AdapterResult:
    key = (await kept(ground, "a.md", text.encode()))["object_key"]
    message = await ground.passed("storage_retriever", {"object_key": key})
    result = await ground.run("smart_segmenter", message, config)
    assert result is not None
    return result


LONG = "# T\n\n" + "\n\n".join(f"Paragraph {number} " + "word " * 30 for number in range(300))


async def test_segments_are_cut_to_the_models_limit_and_kept(ground: Ground) -> None:
    """As the stage ``segments``, from which a replay can go on."""
    result = await segmented(ground, LONG)
    assert result.stage == "segments"
    assert "markdown" not in result.message
    listed = [stored async for stored in ground.storage.list(f"executions/{EXECUTION}/route/segments/")]
    content = json.loads(await ground.storage.read(listed[0].key))
    assert content == result.message
    assert all(segment["tokens"] <= 50 for segment in content["segments"])
    again = await ground.passed("storage_retriever", {"object_key": listed[0].key})
    assert again["segments"] == content["segments"]
    assert await ground.passed("smart_segmenter", again) == again


async def test_a_second_attempt_uses_the_segments_that_were_kept(ground: Ground) -> None:
    """Even if it would cut otherwise by now."""
    first = await segmented(ground, LONG)
    second = await segmented(ground, LONG, {"max_tokens": 20})
    assert second.message == first.message


async def test_limits_of_segments_are_checked(ground: Ground) -> None:
    """An overlap of more than half contradicts the limit."""
    assert [problem.code for problem in ground.registry.check("smart_segmenter", {"max_tokens": 1})] == [
        "E303"
    ]
    config: JsonObject = {"max_tokens": 20, "overlap_tokens": 11}
    (problem,) = ground.registry.check("smart_segmenter", config)
    assert "overlap_tokens" in problem.message
    with pytest.raises(InvalidAdapterConfig):
        ground.registry.build("smart_segmenter", config)


async def test_every_segment_becomes_a_message_of_the_documents_version(ground: Ground) -> None:
    """Under a key that is the same in every attempt."""
    segments = (await segmented(ground, LONG)).message
    emissions = await ground.emitted("segment_publisher", segments)
    assert emissions == await ground.emitted("segment_publisher", segments)
    assert len(emissions) == 300
    assert len({emission.key for emission in emissions}) == 300
    payload = payloads(emissions)[7]
    assert payload["document"] == {"id": "d", "version": 1, "title": "T", "url": "a.md", "language": "en"}
    segment = payload["segment"]
    assert isinstance(segment, dict)
    assert (segment["ordinal"], segment["heading_path"]) == (7, ["T"])
    assert LONG[segment["start"] : segment["end"]] == segment["text"]


async def test_a_message_may_hold_several_segments(ground: Ground) -> None:
    """So many at most, in order, and under keys that are the same in every attempt."""
    segments = (await segmented(ground, LONG)).message
    config: JsonObject = {"segments_per_message": 8}
    emissions = await ground.emitted("segment_publisher", segments, config)
    assert emissions == await ground.emitted("segment_publisher", segments, config)
    groups: list[Any] = [payload["segments"] for payload in payloads(emissions)]
    assert [len(group) for group in groups] == [8] * 37 + [4]
    alone = payloads(await ground.emitted("segment_publisher", segments))
    flat = [one for group in groups for one in group]
    assert [one.pop("segment_id") for one in flat] == [payload["segment_id"] for payload in alone]
    assert flat == [payload["segment"] for payload in alone]
    assert len({emission.key for emission in emissions}) == 38


async def test_long_segments_are_fewer_to_a_message(ground: Ground) -> None:
    """So that no message becomes large; one that is too long by itself is alone."""
    message = (await segmented(ground, "words")).message
    sizes = [9_000, 7_000, 1_000, 30_000, 10, 10]
    given: list[JsonObject] = [
        {"ordinal": n, "text": "x" * size, "start": 0, "end": size} for n, size in enumerate(sizes)
    ]
    emissions = await ground.emitted(
        "segment_publisher", {**message, "segments": given}, {"segments_per_message": 8}
    )
    held: list[Any] = [payload["segments"] for payload in payloads(emissions)]
    assert [[one["ordinal"] for one in group] for group in held] == [[0, 1], [2], [3], [4, 5]]


async def test_equal_texts_are_told_apart_by_how_often_they_came(ground: Ground) -> None:
    """Two segments with the same words are two."""
    message = (await segmented(ground, "words")).message
    same: list[JsonObject] = [{"ordinal": n, "text": "same", "start": n, "end": n + 4} for n in range(3)]
    emissions = await ground.emitted("segment_publisher", {**message, "segments": same})
    assert len({str(payload["segment_id"]) for payload in payloads(emissions)}) == 3


async def test_a_few_segments_are_emitted_at_once_and_many_as_they_come(ground: Ground) -> None:
    """So that the fan-out of a huge document is committed in chunks."""
    short = await ground.run("segment_publisher", (await segmented(ground, "words")).message)
    assert short is not None
    assert isinstance(short.emitted, list)
    markdown: JsonObject = {"document_id": "e", "fingerprint": "f", "markdown": LONG}
    cut = await ground.run("smart_segmenter", markdown, message_id="other")
    assert cut is not None
    long = await ground.run("segment_publisher", cut.message)
    assert long is not None
    assert isinstance(long.emitted, AsyncIterator)
