"""Imports the modules named as arguments and tells on stderr what else that did.

Runs in a process of its own. What a foreign package does while it is imported is not counted: only acts with
no foreign frame between them and a module of ours.
"""

import importlib
import logging
import os
import signal
import sys
import threading
from pathlib import Path
from types import FrameType

ROOT = str(Path(__file__).resolve().parents[2])
HERE = str(Path(__file__).resolve())
WATCHED = {
    "ctypes.dlopen", "os.chdir", "os.chmod", "os.fork", "os.kill", "os.link", "os.mkdir", "os.posix_spawn",
    "os.putenv", "os.remove", "os.rename", "os.rmdir", "os.symlink", "os.system", "os.truncate", "os.unsetenv",
    "shutil.copyfile", "shutil.rmtree", "socket.__new__", "socket.bind", "socket.connect", "socket.getaddrinfo",
    "sqlite3.connect", "subprocess.Popen", "tempfile.mkdtemp", "tempfile.mkstemp", "urllib.Request",
}  # fmt: skip
seen: list[str] = []
watching = False


def by_our_module(frame: FrameType | None) -> bool:
    """Whether the nearest frame that is not the standard library's belongs to a module of ours."""
    while frame is not None:
        path = frame.f_code.co_filename
        if "site-packages" in path:
            return False
        if path.startswith(ROOT) and path != HERE:
            return True
        frame = frame.f_back
    return False


def hook(event: str, arguments: tuple[object, ...]) -> None:
    if not watching:
        return
    writes = event == "open" and bool(int(str(arguments[2] or 0)) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))
    if (writes or event in WATCHED) and by_our_module(sys._getframe(1)):
        seen.append(f"{event}{arguments!r}")


def state() -> dict[str, object]:
    return {
        "threads": sorted(thread.name for thread in threading.enumerate()),
        "environment": dict(os.environ),
        "root log handlers": list(logging.getLogger().handlers),
        "interrupt handler": signal.getsignal(signal.SIGINT),
        "working directory": str(Path.cwd()),
    }


def main(names: list[str]) -> int:
    global watching  # noqa: PLW0603  # an audit hook can be added but never removed
    sys.path.insert(0, ROOT)
    sys.addaudithook(hook)
    failed = False
    for name in names:
        seen.clear()
        before = state()
        watching = True
        try:
            importlib.import_module(name)
        except Exception as error:  # noqa: BLE001  # whatever it is, it is the finding
            seen.append(f"{type(error).__name__}: {error}")
        watching = False
        seen.extend(f"changed the {key}" for key, value in state().items() if value != before[key])
        for act in seen:
            failed = True
            sys.stderr.write(f"{name}: {act}\n")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
