"""How text is made fit for PostgreSQL: to be stemmed, and to be stored."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from domain.language import text_search_configuration

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def configurations(languages: Iterable[str]) -> Sequence[str]:
    """The text search configurations of some languages, each once, in order."""
    return sorted({text_search_configuration(language) for language in languages})


def storable(text: str) -> str:
    """The text with each NUL and lone surrogate, which PostgreSQL cannot hold, replaced by U+FFFD: offsets stay right."""
    return _UNSTORABLE.sub("\ufffd", text)
