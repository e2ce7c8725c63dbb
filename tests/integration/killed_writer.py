"""Writes objects until it is killed. Run as a program: `killed_writer.py at-each-step FOLDER` or `for-ever FOLDER`."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from adapters.filesystem.object_files import Whole, open_files
from adapters.filesystem.sidecar import Description
from adapters.filesystem.storage import FilesystemObjectStorage

STEPS = ("open", "write", "fsync", "link", "replace", "unlink", "rmdir", "mkdir", "close")
KEY = "executions/one/route/stage/a.md"


def content(number: int) -> bytes:
    """A megabyte and a half that shows whether a part of it is missing."""
    return f"{number:08}".encode() * 200_000


def die_before_step(last: int) -> None:
    """Let the process kill itself in place of the given call to the operating system."""
    calls = 0

    def counted(call: Callable[..., Any]) -> Callable[..., Any]:
        def step(*arguments: Any, **options: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == last:
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*arguments, **options)

        return step

    for name in STEPS:
        setattr(os, name, counted(getattr(os, name)))


def one_life(root: Path) -> None:
    """A fresh object, its replacement, one kept, one deleted; then three written together."""
    files = open_files(root)
    for number, if_absent in ((1, False), (2, False), (3, True)):
        files.write(content(number), described(number), if_absent=if_absent)
    files.delete(KEY)
    together = [(f"executions/one/{number % 2}/{number}.md", number) for number in range(10, 13)]
    files.write_all(
        [Whole(content(number), described(number, key), if_absent=True) for key, number in together]
    )
    for key, _ in together:
        files.delete(key)
    files.close()


def described(number: int, key: str = KEY) -> Description:
    """A description that says which content belongs to it."""
    return Description(key=key, content_type="text/markdown", metadata=f'{{"number": {number}}}')


def at_each_step(folder: Path) -> None:
    """Die in folder/1 before the first step, in folder/2 before the second, until a life comes to its own end."""
    step, survived = 0, False
    while not survived:
        step += 1
        child = os.fork()
        if child == 0:
            die_before_step(step)
            one_life(folder / str(step))
            os._exit(0)
        survived = os.waitpid(child, 0)[1] == 0


async def for_ever(folder: Path) -> None:
    """Write whole contents and streams under a few keys, many at a time."""

    async def write(writer: int) -> None:
        number = 0
        while True:
            number += 1
            whole = content(number)

            async def pieces(whole: bytes = whole) -> Any:
                for start in range(0, len(whole), 300_000):
                    yield whole[start : start + 300_000]

            await storage.write(
                f"executions/one/{writer % 2}/{number % 7}.bin",
                whole if writer % 2 else pieces(),
                metadata={"number": number},
                if_absent=number % 5 == 0,
            )

    async with FilesystemObjectStorage(folder) as storage:
        print("writing", flush=True)  # noqa: T201  # the test waits for this word
        await asyncio.gather(*(write(writer) for writer in range(4)))


if __name__ == "__main__":
    if sys.argv[1] == "at-each-step":
        at_each_step(Path(sys.argv[2]))
    else:
        asyncio.run(for_ever(Path(sys.argv[2])))
