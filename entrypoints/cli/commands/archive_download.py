"""`factflow storage download`: an archive is prepared, downloaded, unpacked and deleted again."""

from __future__ import annotations

import shutil
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from domain.errors import FactflowError, Invalid, Unavailable
from domain.storage import SIDECAR_SUFFIX, require_valid_key
from entrypoints.cli.client import NoServer, Server
from entrypoints.cli.exit_codes import OK
from entrypoints.cli.session import ClientCommand, Session, asks_server
from entrypoints.cli.streams import harmless

if TYPE_CHECKING:
    import zipfile

WAIT_SECONDS = 3600.0
POLL_SECONDS = 2.0
FIRST_POLL_SECONDS = 0.2
RESUMPTIONS = 5
RESUME_SECONDS = 1.0


class ArchiveFailed(Unavailable):
    """The server could not prepare the archive."""

    code = "archive_failed"


class HostileArchive(Invalid):
    """The archive has an entry that may not be unpacked."""

    code = "hostile_archive"


class FolderUnwritable(Invalid):
    """The folder cannot be written."""

    code = "folder_unwritable"


@click.command(cls=ClientCommand)
@click.argument("execution")
@click.option("--output-dir", required=True, type=click.Path(path_type=Path), help="Where to unpack it.")
@click.option(
    "--route", "routes", multiple=True, metavar="ROUTE", help="Only of this route; may be repeated."
)
@click.option(
    "--stage", "stages", multiple=True, metavar="STAGE", help="Only of this stage; may be repeated."
)
@click.option("--without-metadata", is_flag=True, help="Leave out the objects' sidecars.")
@asks_server
async def download(
    server: Server, session: Session, /, execution: str, output_dir: Path, **wanted: Any
) -> int:
    """Download everything that an execution kept, by id or tag, as files in folders."""
    import asyncio
    import tempfile

    seconds, body = session.seconds(WAIT_SECONDS), _body(execution, **wanted)
    job = (await server.post("content", "archive", "prepare", body=body)).value()
    place = ("content", "archive", str(job.get("job_id")))
    try:
        reply = await _prepared(server, place, seconds)
        with _writing(output_dir), tempfile.TemporaryFile() as file:
            await _fetch(server, place, file)
            count = await asyncio.to_thread(unpack, file, output_dir)
    finally:
        with suppress(FactflowError):
            await server.send("DELETE", *place)
    if session.is_for_programs:
        session.print_json(reply.body)
    else:
        click.echo(f"{count} files in {harmless(str(output_dir))}")
    return OK


def _body(
    execution: str, *, routes: tuple[str, ...], stages: tuple[str, ...], without_metadata: bool
) -> object:
    return {
        "execution_id": execution,
        "routes": list(routes),
        "stages": list(stages),
        "include_metadata": not without_metadata,
    }


async def _prepared(server: Server, place: tuple[str, ...], seconds: float) -> Any:
    import asyncio

    deadline, pause = time.monotonic() + seconds, FIRST_POLL_SECONDS
    while True:
        reply = await server.get(*place, "status")
        archive = reply.value()
        if archive.get("status") == "ready":
            return reply
        if archive.get("status") != "preparing":
            raise ArchiveFailed(
                f"the archive is {archive.get('status')}: {archive.get('error') or 'no reason given'}"
            )
        if time.monotonic() > deadline:
            raise ArchiveFailed(f"the archive was not ready after {seconds:g} seconds")
        await asyncio.sleep(pause)
        pause = POLL_SECONDS


async def _fetch(server: Server, place: tuple[str, ...], file: IO[bytes]) -> None:
    """The whole archive; where the connection breaks off it goes on from there."""
    import asyncio

    left = RESUMPTIONS
    while True:
        try:
            async with server.download(*place, "download", start=file.tell()) as (_, chunks):
                async for chunk in chunks:
                    file.write(chunk)
            return
        except NoServer:
            left -= 1
            if left < 0:
                raise
            await asyncio.sleep(RESUME_SECONDS)


def unpack(file: IO[bytes], folder: Path) -> int:
    """Write every entry below the folder; returns how many. Raises HostileArchive before anything is written.

    Entries are ordinary files under valid storage keys: none leads out of the folder, neither by its name nor through a
    symbolic link that lies there already.
    """
    import zipfile

    try:
        with zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
            for entry in entries:
                _require_harmless(entry, folder)
            for entry in entries:
                target = folder / entry.filename
                target.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(entry) as source, target.open("wb") as copy:
                    shutil.copyfileobj(source, copy)
    except (zipfile.BadZipFile, NotImplementedError) as error:
        raise HostileArchive(f"what was downloaded is no archive: {error}") from error
    return len(entries)


def _require_harmless(entry: zipfile.ZipInfo, folder: Path) -> None:
    kind = stat.S_IFMT(entry.external_attr >> 16)
    name = entry.filename
    if kind not in {0, stat.S_IFREG} or entry.is_dir():
        raise HostileArchive(f"{name!r} is no ordinary file")
    try:
        require_valid_key(name.removesuffix(SIDECAR_SUFFIX))
    except FactflowError as error:
        raise HostileArchive(error.message) from error
    root = folder.resolve()
    if not (root / name).resolve().is_relative_to(root):
        raise HostileArchive(f"{name!r} leads out of {folder}")


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise FolderUnwritable(f"{error.filename or folder}: {error.strerror or error}") from error
