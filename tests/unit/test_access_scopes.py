"""What a scope allows, and who may do what."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.access.errors import InvalidScope
from domain.access.principal import LOCAL, Principal
from domain.access.scope import FULL, TAGS, Action, Scope, covered

scopes = st.builds(Scope, st.sampled_from(sorted({*TAGS, "*"})), st.sampled_from(Action))


@given(scopes)
def test_a_scope_is_read_as_it_is_written(scope: Scope) -> None:
    assert Scope.parse(str(scope)) == scope


@given(scopes, scopes)
def test_writing_covers_reading_and_the_star_covers_every_tag(held: Scope, wanted: Scope) -> None:
    same_tag = held.tag in {"*", wanted.tag}
    enough = held.action is Action.WRITE or wanted.action is Action.READ
    assert held.covers(wanted) == (same_tag and enough)


@given(scopes)
def test_whoever_is_local_may_do_everything(scope: Scope) -> None:
    assert LOCAL.may(scope)
    assert FULL.covers(scope)


@given(st.frozensets(scopes), st.frozensets(scopes))
def test_scopes_are_covered_one_by_one(held: frozenset[Scope], wanted: frozenset[Scope]) -> None:
    principal = Principal(owner="key:1", scopes=held)
    assert covered(wanted, held) == all(principal.may(one) for one in wanted)
    assert principal.may_all(wanted) == covered(wanted, held)


@pytest.mark.parametrize(
    "text",
    ["", ":", "read", "executions", "executions:", ":read", "executions:admin", "nothing:read", "*:*", "EXECUTIONS:read",
     "executions:read ", "executions:read:write", "executions\0:read"],
)  # fmt: skip
def test_what_is_no_scope_is_refused(text: str) -> None:
    with pytest.raises(InvalidScope):
        Scope.parse(text)
