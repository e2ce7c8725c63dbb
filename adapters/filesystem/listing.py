"""Walks the folders in the order of the keys, reading only those that can hold what is asked for."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from adapters.filesystem.disk_names import file_name, folder_name, part_of_file, part_of_folder
from domain.storage import InvalidKey, require_valid_key


def walk(root: str, prefix: str, after: str) -> Iterator[tuple[str, str]]:
    """Keys that begin with the prefix and sort after ``after``, by code points, each with the path of its file.

    Within a folder ``a-b`` comes before ``a/b`` because the names are sorted with the ``/`` that follows a folder's.
    """
    base = prefix[: prefix.rfind("/") + 1]
    if base and not _is_valid(base + "_"):
        return
    path = root
    for part in base.split("/")[:-1]:
        path = f"{path}/{folder_name(part)}"
        if Path(path).is_symlink():
            return
    for key, found in _below(path, base, prefix, after):
        if _is_valid(key):
            yield key, found


def _below(path: str, at: str, prefix: str, after: str) -> Iterator[tuple[str, str]]:
    for part in sorted(_parts(path)):
        key = at + part
        if not part.endswith("/"):
            if key > after and key.startswith(prefix):
                yield key, f"{path}/{file_name(part)}"
        elif (key.startswith(prefix) or prefix.startswith(key)) and (key > after or after.startswith(key)):
            yield from _below(f"{path}/{folder_name(part[:-1])}", key, prefix, after)


def _parts(path: str) -> Iterator[str]:
    try:
        entries = os.scandir(path)
    except (FileNotFoundError, NotADirectoryError):
        return
    with entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                if (part := part_of_folder(entry.name)) is not None:
                    yield part + "/"
            elif entry.is_file(follow_symlinks=False) and (part := part_of_file(entry.name)) is not None:
                yield part


def _is_valid(key: str) -> bool:
    try:
        require_valid_key(key)
    except InvalidKey:
        return False
    return True
