"""What a list of stored objects is asked and answers."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass

from domain.errors import Invalid
from domain.storage import StoredObject

_AFTER_ALL_BELOW = "\U0010ffff"


class InvalidObjectQuery(Invalid):
    """The list of objects cannot be made as asked."""

    code = "invalid_object_query"


class InvalidCursor(Invalid):
    """The cursor is not one that a list has given."""

    code = "invalid_cursor"


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectQuery:
    """Which objects to list; None and empty restrict nothing.

    With a ``delimiter`` what lies below a further one is summed up as a common prefix. ``extensions`` are endings of
    the key in any case, with their dot or without. ``correlation_id``, ``route_id`` and ``stage`` are compared with
    the sidecar; common prefixes are not restricted by them. ``cursor`` continues after an earlier page.
    """

    prefix: str = ""
    delimiter: str | None = None
    extensions: Sequence[str] = ()
    correlation_id: str | None = None
    route_id: str | None = None
    stage: str | None = None
    limit: int = 100
    offset: int = 0
    cursor: str | None = None

    def __post_init__(self) -> None:
        if self.limit < 0 or self.offset < 0:
            raise InvalidObjectQuery("limit and offset are not negative")
        if self.delimiter is not None and not self.delimiter:
            raise InvalidObjectQuery("a delimiter has at least one character")

    @property
    def after(self) -> str:
        """The key after which the list begins; raises InvalidCursor."""
        if self.cursor is None:
            return ""
        try:
            return base64.b64decode(self.cursor, altchars=b"-_", validate=True).decode()
        except (binascii.Error, ValueError) as error:
            raise InvalidCursor from error

    def wants(self, stored: StoredObject) -> bool:
        """Whether the object satisfies the restrictions."""
        return self._has_extension(stored.key) and all(
            wanted is None or stored.metadata.get(name) == wanted
            for name, wanted in (
                ("correlation_id", self.correlation_id),
                ("route_id", self.route_id),
                ("stage", self.stage),
            )
        )

    def _has_extension(self, key: str) -> bool:
        endings = tuple("." + wanted.strip().lower().removeprefix(".") for wanted in self.extensions)
        return not endings or key.lower().endswith(endings)

    def common_prefix(self, key: str) -> str | None:
        """The prefix that stands for the key in the list, None when the key itself is listed."""
        if self.delimiter is None:
            return None
        at = key.find(self.delimiter, len(self.prefix))
        return None if at < 0 else key[: at + len(self.delimiter)]


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectPage:
    """Objects and common prefixes, each by code points; both count towards the limit.

    ``total`` is of all from the cursor on, and exact up to 10,000: above that it only says that there are more.
    """

    objects: Sequence[StoredObject]
    common_prefixes: Sequence[str]
    total: int
    is_total_exact: bool
    has_more: bool
    next_cursor: str | None


def after_all_below(prefix: str) -> str:
    """A text after every key that begins with the prefix."""
    return prefix + _AFTER_ALL_BELOW


def cursor_after(item: StoredObject | str) -> str:
    """Where a list continues after an object or a common prefix."""
    position = after_all_below(item) if isinstance(item, str) else item.key
    return base64.urlsafe_b64encode(position.encode()).decode()
