"""Where requests to addresses that somebody else has given may go: nowhere inside, unless an operator allows it.

Sources: the IANA special-purpose address registries for IPv4 and IPv6 (RFC 6890 and its updates), RFC 6052 (NAT64),
RFC 4291 (mapped addresses). Where a name leads is decided when it is connected to: see ``require_public``.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import TypeAlias
from urllib.parse import urlsplit

from domain.errors import Invalid, Refused

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

MAX_URL_CHARACTERS = 2048
_LABEL = r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST_NAME = re.compile(rf"(?=.{{1,253}}$){_LABEL}(\.{_LABEL})*\.?")
_BRACKETED = re.compile(r"\[[^\[\]]*\](:[0-9]*)?")
_LOOKS_NUMERIC = re.compile(r"(.*\.)?(0x[0-9a-f]*|[0-9]+)\.?")

_SPECIAL_V4 = [
    IPv4Network(text)
    for text in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
        "192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16",
        "192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
        "168.63.129.16/32",  # public by its number, yet it leads to the host of a virtual machine in one large cloud
    )
]  # fmt: skip
_GLOBAL_V6 = IPv6Network("2000::/3")
_SPECIAL_V6 = [
    IPv6Network(text)
    for text in (
        "2001::/23",  # protocol assignments, among them Teredo and ORCHID
        "2001:db8::/32",
        "2002::/16",  # 6to4 leads to an IPv4 address of the giver's choice
        "2620:4f:8000::/48",
        "3fff::/20",
    )
]
_NAT64 = IPv6Network("64:ff9b::/96")


class InvalidUrl(Invalid):
    """The address is not one that requests can be sent to."""

    code = "invalid_url"


class DestinationRefused(Refused):
    """Requests may not be sent to that address."""

    code = "destination_refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboundPolicy:
    """What an operator allows beyond public addresses by https: networks, and plain http."""

    allowed_networks: Sequence[Network] = ()
    is_http_allowed: bool = False

    def permits(self, address: Address) -> bool:
        """Whether a connection to this address may be made."""
        bare = unwrapped(address)
        forms = {address, bare}
        return is_public(bare) or any(
            one in network
            for one in forms
            for network in self.allowed_networks
            if one.version == network.version
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """Where a URL leads: ``address`` when its host is a literal one, None when it is a name."""

    scheme: str
    host: str
    port: int
    address: Address | None = None


def unwrapped(address: Address) -> Address:
    """The IPv4 address that an IPv6 one stands for when it is mapped or that of a NAT64 gateway, else itself."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address in _NAT64:
            return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address


def is_public(address: Address) -> bool:
    """Whether the address belongs to the public internet, to nobody's inside and to no special purpose."""
    bare = unwrapped(address)
    if isinstance(bare, IPv4Address):
        return not any(bare in network for network in _SPECIAL_V4)
    is_scoped = bare.scope_id is not None
    return not is_scoped and bare in _GLOBAL_V6 and not any(bare in network for network in _SPECIAL_V6)


def destination(url: str, policy: OutboundPolicy) -> Destination:
    """Where a URL leads; raises InvalidUrl for what is none, DestinationRefused for what may not be asked.

    Only the canonical writing of a literal address is taken: ``0x7f.1``, ``017700000001`` and ``2130706433`` are not.
    """
    if (
        not url.isascii()
        or not url.isprintable()
        or len(url) > MAX_URL_CHARACTERS
        or set(url) & set(' \\<>"`{}|^')
    ):
        raise InvalidUrl(
            "the address must be printable ASCII, 2048 characters at most; write names in punycode"
        )
    try:
        parts = urlsplit(url)
        scheme, host, port = parts.scheme.lower(), (parts.hostname or "").lower(), parts.port
    except ValueError as error:
        raise InvalidUrl(f"the address cannot be read: {error}") from error
    if scheme not in {"http", "https"} or not host:
        raise InvalidUrl("the address must begin with https:// and name a host")
    if "@" in parts.netloc or port == 0 or parts.fragment:
        raise InvalidUrl("the address must have no user, no fragment and a port that can be")
    if scheme == "http" and not policy.is_http_allowed:
        raise DestinationRefused("the address must begin with https://: plain http is not allowed here")
    is_bracketed = parts.netloc.startswith("[")
    if is_bracketed and not _BRACKETED.fullmatch(parts.netloc):
        raise InvalidUrl("nothing but a port may follow an address in brackets")
    address = _literal(host, is_bracketed=is_bracketed)
    if address is not None:
        require_public([address], policy)
    return Destination(
        scheme=scheme, host=host, port=port or (443 if scheme == "https" else 80), address=address
    )


def require_public(addresses: Iterable[Address], policy: OutboundPolicy) -> None:
    """Raise DestinationRefused if any of the addresses that a name leads to may not be connected to.

    Any, because whoever answers for the name may give a good and a bad one and wait for the second try.
    """
    for address in addresses:
        if not policy.permits(address):
            raise DestinationRefused(f"{address} is not a public address")


def networks(text: str) -> Sequence[Network]:
    """The networks of a list in CIDR notation, separated by commas; raises ValueError."""
    return tuple(ipaddress.ip_network(one.strip()) for one in text.split(",") if one.strip())


def _literal(host: str, *, is_bracketed: bool) -> Address | None:
    if is_bracketed:
        try:
            return IPv6Address(host)
        except ValueError as error:
            raise InvalidUrl(f"{host} is no IPv6 address") from error
    if _LOOKS_NUMERIC.fullmatch(host):
        try:
            return IPv4Address(host)
        except ValueError as error:
            raise InvalidUrl(f"{host} is neither a name nor an IPv4 address in its usual form") from error
    if not _HOST_NAME.fullmatch(host):
        raise InvalidUrl(f"{host} is not a host name")
    return None
