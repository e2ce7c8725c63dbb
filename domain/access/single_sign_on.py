"""People whom a proxy in front of the server has recognised."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network
from typing import TypeAlias

from domain.access.principal import Principal
from domain.access.scope import Scope

Network: TypeAlias = IPv4Network | IPv6Network
LONGEST_NAME = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class SingleSignOn:
    """Which proxies are believed, and what their people may do: what their groups allow, and what everybody may."""

    proxies: Sequence[Network] = ()
    scopes: frozenset[Scope] = frozenset()
    group_scopes: Mapping[str, frozenset[Scope]] = field(default_factory=dict)

    def trusts(self, address: str) -> bool:
        """Whether what comes from an address has passed one of the proxies."""
        try:
            found = ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            return False
        plain = getattr(found, "ipv4_mapped", None) or found
        return any(plain.version == network.version and plain in network for network in self.proxies)

    def principal(self, user: str, groups: Iterable[str]) -> Principal | None:
        """Whom a proxy has named; None for what is no name: empty, longer than 200 characters, or not printable."""
        name = user.strip()
        if not 1 <= len(name) <= LONGEST_NAME or not name.isprintable():
            return None
        allowed = [self.group_scopes.get(group.strip(), frozenset()) for group in groups]
        return Principal(owner=f"user:{name}", name=name, scopes=self.scopes.union(*allowed))
