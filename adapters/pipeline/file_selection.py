"""Which files an enumeration takes."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

_NOTHING = re.compile(r"(?!)")


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSelection:
    """Files by glob patterns over their path below the origin.

    A pattern without ``/`` is compared with the last part of a path (an excluding one with every part), one with ``/``
    with the whole path, where ``*`` also spans folders and a leading ``**/`` may stand for none.
    No patterns at all take everything that is supported. Hidden files and folders are never taken.
    """

    patterns: tuple[str, ...]
    exclude: tuple[str, ...]
    supports: Callable[[str], bool]

    def takes(self, name: str) -> bool:
        """Whether a file of that path is taken."""
        return self.supports(name) and self.matches(name) and not self.prunes(name)

    def matches(self, name: str) -> bool:
        """Whether the path is among what the patterns name."""
        return not self.patterns or _is_match(self.patterns, name, name.rpartition("/")[2:])

    def prunes(self, name: str) -> bool:
        """Whether a folder or file of that path is hidden or excluded, with all beneath it."""
        parts = name.split("/")
        return any(part.startswith(".") for part in parts) or _is_match(self.exclude, name, parts)


def _is_match(patterns: Iterable[str], name: str, parts: Iterable[str]) -> bool:
    names = list(parts)
    for pattern in patterns:
        compiled = re.compile(fnmatch.translate(pattern)) if pattern else _NOTHING
        if "/" not in pattern:
            if any(compiled.match(part) for part in names):
                return True
        elif compiled.match(name) or (pattern.startswith("**/") and compiled.match(f"/{name}")):
            return True
    return False
