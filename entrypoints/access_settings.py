"""The settings of who may ask, which are part of the server's."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from domain.access.api_key import MOST_REQUESTS_PER_MINUTE
from domain.access.errors import InvalidScope, MalformedApiKey
from domain.access.key_text import ENVIRONMENT, require_key
from domain.access.scope import Scope
from domain.access.single_sign_on import Network
from domain.outbound import networks
from entrypoints.api_settings import ApiSettings
from entrypoints.setting_values import Kind, about, one_of, whole_number

_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")


def _read_key(text: str) -> str:
    try:
        require_key(text)
    except MalformedApiKey as error:
        raise ValueError from error
    return text


def _read_environment(text: str) -> str:
    if not ENVIRONMENT.fullmatch(text):
        raise ValueError(text)
    return text


def _read_header(text: str) -> str:
    if not _HEADER.fullmatch(text) or text.lower() in {"authorization", "x-forwarded-for"}:
        raise ValueError(text)
    return text.lower()


def _read_scopes(text: str) -> frozenset[Scope]:
    try:
        return frozenset(Scope.parse(one.strip()) for one in text.split(","))
    except InvalidScope as error:
        raise ValueError(text) from error


def _read_groups(text: str) -> Mapping[str, frozenset[Scope]]:
    groups = {}
    for one in text.split(";"):
        name, equals, scopes = one.partition("=")
        if not equals or not name.strip():
            raise ValueError(text)
        groups[name.strip()] = _read_scopes(scopes)
    return groups


_KEY = Kind(allowed="an API key, ff_<environment>_<43 letters and digits>_<checksum>", read=_read_key)
_ENVIRONMENT = Kind(allowed="1 to 16 small letters and digits", read=_read_environment)
_NETWORKS = Kind(allowed="addresses or networks in CIDR notation by commas, such as 10.1.0.7", read=networks)
_HEADER_NAME = Kind(allowed="the name of a header, such as X-Forwarded-User", read=_read_header)
_SCOPES = Kind(allowed="scopes by commas, such as *:read,chat:write", read=_read_scopes)
_GROUPS = Kind(allowed="groups with their scopes, such as admins=*:write;staff=*:read", read=_read_groups)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class AccessSettings(ApiSettings):
    """Who may ask the server, how often, and what is written of it."""

    authentication: str | None = field(
        default=None,
        metadata=about(
            one_of("keys", "open"),
            "Whether requests need an API key; open lets anybody on this machine ask, and only there; unset, an embedded server is open and every other has keys.",
        ),
    )
    bootstrap_key: str | None = field(
        default=None,
        metadata=about(
            _KEY,
            "An API key with every scope, added at the start if it is not known; unset, one is made at the first start and printed once.",
            is_secret=True,
        ),
    )
    key_environment: str = field(
        default="live",
        metadata=about(_ENVIRONMENT, "The environment that new API keys name, as in ff_live_…"),
    )
    rate_limit_per_minute: int = field(
        default=6000,
        metadata=about(
            whole_number(0, MOST_REQUESTS_PER_MINUTE),
            "How many requests a minute an API key may make at each server, unless the key says otherwise; 0 is no limit.",
        ),
    )
    trusted_proxies: Sequence[Network] = field(
        default=(),
        metadata=about(
            _NETWORKS,
            "The proxies that are believed when they name the person who asks; nobody else is.",
            shown="none",
        ),
    )
    sso_user_header: str = field(
        default="x-forwarded-user",
        metadata=about(_HEADER_NAME, "The header in which a trusted proxy names the person."),
    )
    sso_groups_header: str = field(
        default="x-forwarded-groups",
        metadata=about(_HEADER_NAME, "The header in which it names the person's groups, by commas."),
    )
    sso_scopes: frozenset[Scope] = field(
        default=frozenset(),
        metadata=about(
            _SCOPES,
            "What everybody may do whom a trusted proxy names, whatever their groups.",
            shown="nothing",
        ),
    )
    sso_groups: Mapping[str, frozenset[Scope]] = field(
        default_factory=dict,
        metadata=about(_GROUPS, "What the members of groups may do.", shown="none"),
    )

    def needs_keys(self, *, embedded: bool) -> bool:
        """Whether a server with these settings asks for API keys."""
        return not embedded if self.authentication is None else self.authentication == "keys"
