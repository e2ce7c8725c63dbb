"""Enumerating and reading real folders, with all that can be wrong in them."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from adapters.pipeline.file_content import FileVanished
from adapters.pipeline.folder_walk import FolderNotFound, FolderNotPermitted, NotAFolder
from domain.document import UnreadableDocument, document_id
from domain.errors import FactflowError
from domain.json import JsonObject
from tests.pipeline_contexts import Ground, ground, payloads

__all__ = ["ground"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with two files to read and some that are passed over."""
    for name in ("b.md", "a/c.txt", "a/.hidden/d.md", ".e.md", "f.bin", "a/g"):
        file = tmp_path / "docs" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("words")
    return tmp_path / "docs"


async def enumerated(
    ground: Ground, folder: Path, config: JsonObject | None = None
) -> dict[object, JsonObject]:
    found = payloads(await ground.emitted("document_enumerator", {"folder": str(folder)}, config))
    return {payload.get("name") or payload["document_id"]: payload for payload in found}  # type: ignore[misc]


async def test_a_folder_is_enumerated_in_order(ground: Ground, folder: Path) -> None:
    """Every readable file with its path, size and time; the ids do not depend on a stroke at the end."""
    found = await enumerated(ground, folder)
    assert list(found) == ["a/c.txt", "b.md"]
    first = found["a/c.txt"]
    assert first["origin"] == f"folder:{folder}"
    assert (first["path"], first["size"]) == (str(folder / "a/c.txt"), 5)
    assert first["document_id"] == document_id(f"folder:{folder}", "a/c.txt")
    slashed = payloads(await ground.emitted("document_enumerator", {"folder": f"{folder}/./"}))
    assert slashed == list(found.values())


async def test_a_file_that_was_emitted_can_be_read(ground: Ground, folder: Path) -> None:
    """The two pipeline adapters agree on the message."""
    for payload in (await enumerated(ground, folder)).values():
        assert (await ground.passed("document_reader", payload))["markdown"] == "words"


@pytest.mark.parametrize(
    ("name", "error"), [("none", FolderNotFound), ("b.md", NotAFolder), ("\0", NotAFolder)]
)
async def test_a_folder_that_cannot_be_enumerated_fails_the_run(
    ground: Ground, folder: Path, name: str, error: type[FactflowError]
) -> None:
    """With an error that names it."""
    with pytest.raises(error):
        await ground.run("document_enumerator", {"folder": f"{folder}/{name}"})


async def test_links_are_passed_over_unless_they_are_to_be_followed(ground: Ground, folder: Path) -> None:
    """Following them ends, though they lead in a circle."""
    (folder / "a" / "loop").symlink_to(folder)
    (folder / "self").symlink_to(folder / "self")
    (folder / "broken.md").symlink_to(folder / "nothing")
    (folder / "link.md").symlink_to(folder / "b.md")
    assert list(await enumerated(ground, folder)) == ["a/c.txt", "b.md"]
    followed = await enumerated(ground, folder, {"follow_symlinks": True})
    assert list(followed) == ["a/c.txt", "b.md", "broken.md", "link.md", "self"]
    assert "cannot be read" in str(followed["broken.md"]["problem"])
    assert "problem" not in followed["link.md"]


async def test_a_pipe_is_no_document(ground: Ground, folder: Path) -> None:
    """It is passed over, and one put in the place of a file does not hold up the reader."""
    os.mkfifo(folder / "pipe.md")
    assert "pipe.md" not in await enumerated(ground, folder)
    message: JsonObject = {"document_id": "d", "name": "pipe.md", "path": str(folder / "pipe.md")}
    with pytest.raises(UnreadableDocument, match="regular"):
        await ground.run("document_reader", message)


@pytest.fixture
def strange_folder(folder: Path) -> Path:
    """The folder with a file whose name is not Unicode."""
    try:
        Path(os.fsdecode(os.fsencode(folder) + b"/\xff.md")).write_text("words")
    except OSError:
        pytest.skip("this file system takes Unicode names only")
    return folder


async def test_a_name_that_is_not_unicode_is_a_problem_and_not_a_crash(
    ground: Ground, strange_folder: Path
) -> None:
    """It is emitted with an escaped name, so that reading it fails with the reason."""
    found = await enumerated(ground, strange_folder)
    assert "UTF-8" in str(found["\\xff.md"]["problem"])
    with pytest.raises(UnreadableDocument, match="UTF-8"):
        await ground.run("document_reader", found["\\xff.md"])


async def test_an_unreadable_folder_does_not_hold_up_the_rest_and_removes_nothing(
    ground: Ground, folder: Path
) -> None:
    """What is beneath it may well be there still."""
    _make_deep(folder / "deep")
    await ground.indexed("gone", origin=f"folder:{folder}")
    found = await enumerated(ground, folder)
    assert any("cannot be read" in str(payload.get("problem")) for payload in found.values())
    assert "b.md" in found
    assert "gone" not in found


async def test_a_folder_that_may_not_be_read_fails_the_run(ground: Ground, folder: Path) -> None:
    """With an error of kind Refused."""
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    await asyncio.to_thread(folder.chmod, 0)
    with pytest.raises(FolderNotPermitted):
        await ground.run("document_enumerator", {"folder": str(folder)})


async def test_a_deleted_file_is_removed_by_the_next_enumeration(ground: Ground, folder: Path) -> None:
    """And reading it in between says that it has vanished."""
    found = await enumerated(ground, folder)
    id_ = str(found["b.md"]["document_id"])
    await ground.indexed(id_, origin=f"folder:{folder}", url="b.md")
    await asyncio.to_thread((folder / "b.md").unlink)
    assert (await enumerated(ground, folder))[id_]["removed"] is True
    with pytest.raises(FileVanished):
        await ground.run("document_reader", found["b.md"])
    assert await ground.documents.ids(f"folder:{folder}") == []


async def test_a_folder_becomes_an_index(ground: Ground, folder: Path) -> None:
    """Through all eight pipeline adapters; a second run finds nothing to do."""
    for file in await ground.emitted("document_enumerator", {"folder": str(folder)}):
        name = str(file.payload["name"])
        message = await ground.passed("document_reader", file.payload)
        kept = await ground.run("markdown_storage_writer", message, message_id=name)
        assert kept is not None
        loaded = await ground.passed("storage_retriever", kept.message)
        cut = await ground.run("smart_segmenter", loaded, message_id=name)
        assert cut is not None
        for segment in await ground.emitted("segment_publisher", cut.message):
            await ground.run("segment_writer", await ground.passed("embedding_generator", segment.payload))
    assert await ground.index.origins() == {f"folder:{folder}": 2}
    for file in await ground.emitted("document_enumerator", {"folder": str(folder)}):
        assert await ground.run("document_reader", file.payload) is None


async def test_an_empty_folder_has_no_documents(ground: Ground, tmp_path: Path) -> None:
    """That is no error."""
    assert await enumerated(ground, tmp_path) == {}


def _make_deep(start: Path) -> None:
    """Folders deeper than a path can be long, which not even root can list by their path."""
    start.mkdir()
    home = Path.cwd()
    os.chdir(start)
    try:
        for _ in range(18):
            Path("x" * 250).mkdir()
            os.chdir("x" * 250)
        Path("z.md").write_text("words")
    finally:
        os.chdir(home)
