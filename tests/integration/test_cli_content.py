"""`factflow storage download` and `factflow document`, against the API."""

import io
import json
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from adapters.memory.documents import MemoryDocuments
from domain.errors import FactflowError
from entrypoints.cli.commands.archive_download import HostileArchive, unpack
from tests.cli_server import CommandLine, ScriptedServer, cli, server
from tests.http_server import Api, serving
from tests.integration.test_cli_with_api import factflow

__all__ = ["cli", "server"]
ARCHIVE = "/api/v1/content/archive"


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with serving() as api:
        yield api


async def test_what_a_run_kept_is_downloaded_as_folders(api: Api, tmp_path: Path) -> None:
    """And nothing of the archive stays on the server."""
    execution_id = await api.execution("echo", tag="mine")
    await api.ended(execution_id)
    base = f"executions/{execution_id}"
    for name in ("read/markdown/1.md", "cut/segments/2.json"):
        await api.world.storage.write(f"{base}/{name}", name.encode(), metadata={"title": name})
    code, out, err = await factflow(api, "storage", "download", "mine", "--output-dir", str(tmp_path / "a"))
    assert (code, err) == (0, ""), err
    assert out == f"4 files in {tmp_path / 'a'}\n"
    assert (tmp_path / "a" / base / "read/markdown/1.md").read_text() == "read/markdown/1.md"
    told = json.loads((tmp_path / "a" / base / "read/markdown/1.md.meta.json").read_text())
    assert told["metadata"] == {"title": "read/markdown/1.md"}
    assert [stored.key async for stored in api.world.storage.list("archives/")] == []
    options = ("--stage", "markdown", "--without-metadata")
    folder = tmp_path / "b"
    code, out, _ = await factflow(
        api, "--output", "json", "storage", "download", "mine", "--output-dir", str(folder), *options
    )
    assert (code, json.loads(out)["status"]) == (0, "ready")
    assert [path.name for path in folder.rglob("*") if path.is_file()] == ["1.md"]


async def test_what_cannot_be_downloaded_is_told(api: Api, tmp_path: Path) -> None:
    code, _, err = await factflow(api, "storage", "download", "nobody", "--output-dir", str(tmp_path))
    assert code == 4, err
    execution_id = await api.execution("echo")
    await api.ended(execution_id)
    code, _, err = await factflow(api, "storage", "download", execution_id, "--output-dir", str(tmp_path))
    assert (code, "kept nothing" in err) == (2, True)
    await api.world.storage.write(f"executions/{execution_id}/r/s/1", b"x")
    (tmp_path / "file").write_text("")
    code, _, err = await factflow(
        api, "storage", "download", execution_id, "--output-dir", str(tmp_path / "file")
    )
    assert code == 2, err


def test_an_archive_that_failed_is_told_and_deleted(
    server: ScriptedServer, cli: CommandLine, tmp_path: Path
) -> None:
    server.says("POST", f"{ARCHIVE}/prepare", {"job_id": "j"}, status=202)
    server.says("GET", f"{ARCHIVE}/j/status", {"status": "failed", "error": "the bucket is away"})
    ran = cli("storage", "download", "e", "--output-dir", str(tmp_path))
    assert (ran.code, "the bucket is away" in ran.err) == (7, True)
    assert [(one.method, one.path) for one in server.asked][-1] == ("DELETE", f"{ARCHIVE}/j")


def packed(name: str, mode: int = 0o100644) -> io.BytesIO:
    """A hostile archive: an ordinary entry, and one more."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        file.writestr("good.md", "good")
        info = zipfile.ZipInfo(name)
        info.create_system, info.external_attr = 3, mode << 16
        file.writestr(info, "../../etc/passwd")
    return content


@pytest.mark.parametrize(
    "name", ["../out.md", "/etc/out.md", "a/../../out.md", "a//b", "a\\..\\b", "folder/", "link/x"]
)
def test_an_entry_that_leads_out_is_refused_before_anything_is_written(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "link").symlink_to(tmp_path)
    with pytest.raises(HostileArchive):
        unpack(packed(name), folder)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["in", "link"]


@pytest.mark.parametrize("mode", [0o120777, 0o010644, 0o060644])
def test_links_and_devices_are_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(HostileArchive):
        unpack(packed("entry", mode), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FactflowError):
        unpack(io.BytesIO(b"hello"), tmp_path)


async def test_documents_are_looked_at_and_deleted(api: Api) -> None:
    await api.world.index("whales", "large animals")
    code, out, _ = await factflow(api, "document", "list")
    assert (code, "whales" in out, "encyclopedia" in out) == (0, True, True)
    assert (await factflow(api, "document", "list", "--origin", "other"))[2] == "no documents\n"
    assert "title" in (await factflow(api, "document", "get", "whales"))[1]
    assert "large animals" in (await factflow(api, "document", "segments", "whales"))[1]
    code, _, err = await factflow(api, "document", "text", "whales")
    assert (code, "not in storage" in err) == (4, True)
    assert (await factflow(api, "document", "delete", "whales"))[0] == 0
    assert (await factflow(api, "document", "delete", "whales"))[0] == 4
    assert (await MemoryDocuments(api.world.corpus).list(limit=1))[1] == 0
