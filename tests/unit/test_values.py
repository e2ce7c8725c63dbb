"""Values that are quickly made are like those of any frozen dataclass."""

from __future__ import annotations

import copy
import inspect
import pickle
from dataclasses import FrozenInstanceError, dataclass, field, replace

import pytest

from domain.values import quickly_made


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Quick:
    """With every kind of default."""

    name: str
    count: int = 3
    items: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Usual:
    """The same, made as usual."""

    name: str
    count: int = 3
    items: list[int] = field(default_factory=list)


def test_a_quickly_made_value_has_its_fields_and_defaults() -> None:
    """A default that is made is made for each anew."""
    one, other = Quick(name="a"), Quick(name="a", count=4, items=[1])
    assert (one.name, one.count, one.items) == ("a", 3, [])
    assert (other.count, other.items) == (4, [1])
    assert one.items is not Quick(name="a").items
    assert type(one) is Quick


def test_a_quickly_made_value_is_frozen() -> None:
    """Nobody changes, adds or deletes a field."""
    one = Quick(name="a")
    with pytest.raises(FrozenInstanceError):
        one.name = "b"  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        del one.name
    assert one.name == "a"


def test_a_quickly_made_value_compares_and_copies_as_usual() -> None:
    """Also through pickle, and with a change."""
    one = Quick(name="a", items=[1])
    assert one == Quick(name="a", items=[1])
    assert one != Quick(name="b", items=[1])
    assert copy.deepcopy(one) == pickle.loads(pickle.dumps(one)) == replace(one) == one  # noqa: S301 (our own)
    assert replace(one, count=5).count == 5
    assert repr(one) == "Quick(name='a', count=3, items=[1])"


@pytest.mark.parametrize("given", [{}, {"name": "a", "other": 1}])
def test_what_is_not_given_rightly_is_refused(given: dict[str, object]) -> None:
    """As by any function with keyword-only parameters."""
    with pytest.raises(TypeError):
        Quick(**given)  # type: ignore[arg-type]
    assert list(inspect.signature(Quick).parameters) == list(inspect.signature(Usual).parameters)


def test_only_a_class_of_keyword_only_fields_can_be_quickly_made() -> None:
    """One that checks its fields is made as usual."""

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Checked:
        name: str

        def __post_init__(self) -> None:
            """Would not be called."""

    @dataclass(frozen=True, slots=True)
    class Positional:
        name: str

    for kind in (Checked, Positional, str):
        with pytest.raises(TypeError):
            quickly_made(kind)
