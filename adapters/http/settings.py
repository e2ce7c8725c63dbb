"""What the HTTP API is set to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

MEBIBYTE = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingFact:
    """One setting as anybody may see it: ``value`` is ``***`` for a secret, None when it is unset."""

    name: str
    variable: str
    value: str | None
    is_default: bool
    about: str


def _is_ready() -> bool:
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpSettings:
    """Limits and facts that the composition root knows.

    With ``needs_keys`` every operation that is not public needs an API key, or a person whom a trusted proxy names in
    the two headers. ``refuses_foreign_hosts`` is for a server without authentication: it then answers only requests whose ``Host`` (and
    ``Origin``, when they change something) is this machine or one of ``host_names``, so that a web page cannot reach
    it by DNS rebinding. ``has_recovered`` tells whether recovery after a restart is done. ``facts`` is what the process
    was started with, without secrets.
    """

    version: str = "0.0.0"
    mode: str = "server"
    needs_keys: bool = False
    sso_user_header: str = "x-forwarded-user"
    sso_groups_header: str = "x-forwarded-groups"
    refuses_foreign_hosts: bool = False
    host_names: frozenset[str] = field(default_factory=frozenset)
    max_body_bytes: int = 10 * MEBIBYTE
    max_upload_bytes: int = 1024 * MEBIBYTE
    heartbeat_seconds: float = 15.0
    piece_seconds: float = 30.0
    answer_seconds: float = 300.0
    cors_origins: tuple[str, ...] = ()
    has_recovered: Callable[[], bool] = _is_ready
    facts: tuple[SettingFact, ...] = ()
