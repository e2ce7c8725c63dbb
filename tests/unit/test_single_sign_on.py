"""Who is believed when they name the person who asks."""

from __future__ import annotations

import pytest

from domain.access.scope import Scope
from domain.access.single_sign_on import SingleSignOn
from domain.outbound import networks

READ, WRITE = frozenset({Scope.parse("*:read")}), frozenset({Scope.parse("configs:write")})
SIGN_ON = SingleSignOn(
    proxies=networks("10.0.0.7,192.0.2.0/24,fd00::/8"), scopes=READ, group_scopes={"editors": WRITE}
)


@pytest.mark.parametrize("address", ["10.0.0.7", "192.0.2.255", "fd00::1", "::ffff:10.0.0.7", "fd00::1%eth0"])
def test_a_proxy_is_believed(address: str) -> None:
    assert SIGN_ON.trusts(address)


@pytest.mark.parametrize(
    "address", ["", "10.0.0.8", "127.0.0.1", "::1", "fe80::1", "proxy", "10.0.0.7, 10.0.0.8"]
)
def test_nobody_else_is(address: str) -> None:
    assert not SIGN_ON.trusts(address)
    assert not SingleSignOn().trusts("127.0.0.1")


def test_a_person_may_what_their_groups_may_and_what_everybody_may() -> None:
    person = SIGN_ON.principal("åsa@example.org", ["editors ", "others"])
    assert person is not None
    assert (person.owner, person.name, person.scopes) == (
        "user:åsa@example.org",
        "åsa@example.org",
        READ | WRITE,
    )


@pytest.mark.parametrize("user", ["", "  ", "a\nb", "a\0b", "x" * 201])
def test_what_is_no_name_is_nobody(user: str) -> None:
    assert SIGN_ON.principal(user, []) is None
