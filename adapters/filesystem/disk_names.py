"""How the parts of a key are named on disk.

A key may be both an object and a folder of others (``a`` and ``a/b``), which no file system allows for one name. So
files and folders have names that cannot meet: a folder's has no dot, a file's has one, and a part that does not fit
its kind gets a mark at the end. Sidecars, ``.incoming`` and what people leave in the folder cannot meet them either.
"""

from __future__ import annotations

import unicodedata

from domain.storage import SIDECAR_SUFFIX

FILE_MARK = "%f"
FOLDER_MARK = "%d"
INCOMING = ".incoming"
_MARKS = (FILE_MARK, FOLDER_MARK)


def file_name(part: str) -> str:
    """The name of the file for a key's last part."""
    is_plain = "." in part and not part.startswith(".") and not part.endswith(_MARKS)
    return part if is_plain else part + FILE_MARK


def folder_name(part: str) -> str:
    """The name of the folder for any other part of a key."""
    is_plain = "." not in part and not part.endswith(_MARKS)
    return part if is_plain else part + FOLDER_MARK


def on_disk(key: str) -> tuple[list[str], str]:
    """The names of the folders from the root down, and of the file."""
    *folders, last = key.split("/")
    return [folder_name(part) for part in folders], file_name(last)


def part_of_file(name: str) -> str | None:
    """The last part of the key that a file stands for, None for sidecars and strangers."""
    if name.endswith(SIDECAR_SUFFIX):
        return None
    part = unicodedata.normalize("NFC", name).removesuffix(FILE_MARK)
    return part if part and file_name(part) == unicodedata.normalize("NFC", name) else None


def part_of_folder(name: str) -> str | None:
    """The part of a key that a folder stands for, None for a stranger."""
    normal = unicodedata.normalize("NFC", name)
    part = normal.removesuffix(FOLDER_MARK)
    return part if part and folder_name(part) == normal else None
