"""What a request says of who sent it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from litestar.types import HTTPScope

from adapters.http.errors import MalformedRequest
from domain.access.key_text import PREFIX

BEARER = "bearer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """The address of whoever is connected, the bearer token, and what proxies said: user, groups, whom they speak for."""

    peer: str
    token: str = ""
    scheme: str = ""
    user: str = ""
    groups: Sequence[str] = ()
    forwarded_for: str = ""

    @property
    def has_key(self) -> bool:
        """Whether the token means to be an API key, and not something that a proxy has passed on."""
        return self.token.startswith(f"{PREFIX}_")


def credentials_of(scope: HTTPScope, *, user_header: str, groups_header: str) -> Credentials:
    """The credentials of a request; raises MalformedRequest for a header that may stand there once and does not."""
    headers = scope["headers"]
    scheme, _, token = _only(headers, "authorization").partition(" ")
    client = scope.get("client")
    return Credentials(
        peer=client[0] if client else "",
        scheme=scheme.lower(),
        token=token.strip() if scheme.lower() == BEARER else "",
        user=_only(headers, user_header),
        groups=tuple(_listed(headers, groups_header)),
        forwarded_for=next(reversed(list(_listed(headers, "x-forwarded-for"))), ""),
    )


def _only(headers: Iterable[tuple[bytes, bytes]], name: str) -> str:
    values = _values(headers, name)
    if len(values) > 1:
        raise MalformedRequest(f"the header {name} may stand in a request once")
    return values[0] if values else ""


def _listed(headers: Iterable[tuple[bytes, bytes]], name: str) -> Iterable[str]:
    parts = (part.strip() for value in _values(headers, name) for part in value.split(","))
    return (part for part in parts if part)


def _values(headers: Iterable[tuple[bytes, bytes]], name: str) -> list[str]:
    wanted = name.lower().encode("ascii")
    return [_text(value) for key, value in headers if key == wanted]


def _text(value: bytes) -> str:
    """Proxies write names in UTF-8; what is none is Latin-1, as HTTP once had it."""
    try:
        return value.decode("utf-8").strip()
    except UnicodeDecodeError:
        return value.decode("latin-1").strip()
