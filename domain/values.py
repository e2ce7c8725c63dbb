"""Makes frozen values at the cost of plain ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import MISSING, Field, fields
from typing import Any, TypeVar

Value = TypeVar("Value")

_ABSENT = object()


def quickly_made(cls: type[Value]) -> type[Value]:
    """For values of which several are made for every message: a frozen dataclass of keyword-only fields in slots.

    What a dataclass writes for a frozen class sets each field through ``object.__setattr__``, which costs three times
    what an assignment does. Here a value is of a twin class without that guard while it is being made: nobody else has
    seen it by then, and afterwards it is as frozen as any. Raises TypeError for another kind of class.
    """
    own: Sequence[Field[Any]] = fields(cls)  # type: ignore[arg-type]  # it raises TypeError itself
    if hasattr(cls, "__post_init__") or not all(each.init and each.kw_only for each in own):
        raise TypeError(f"{cls.__name__} is not made of keyword-only fields alone")
    twin = type(f"{cls.__name__}InTheMaking", (), {"__slots__": [each.name for each in own]})
    names: dict[str, Any] = {"_set": object.__setattr__, "_twin": twin, "_made": cls, "_absent": _ABSENT}
    names |= {f"_{each.name}": _default(each) for each in own}
    exec(_constructor(own), names)  # noqa: S102 (as dataclasses make theirs, of names that are our own)
    init = names["__init__"]
    init.__qualname__, init.__annotations__ = cls.__init__.__qualname__, cls.__init__.__annotations__
    cls.__init__ = init  # type: ignore[method-assign]  # that is what this is for
    return cls


def _default(one: Field[Any]) -> object:
    return one.default if one.default_factory is MISSING else one.default_factory


def _constructor(own: Sequence[Field[Any]]) -> str:
    lines = [f"def __init__(self, *, {', '.join(map(_parameter, own))}):", "_set(self, '__class__', _twin)"]
    for each in own:
        given = each.name
        if each.default_factory is not MISSING:
            given = f"_{given}() if {given} is _absent else {given}"
        lines.append(f"self.{each.name} = {given}")
    lines.append("_set(self, '__class__', _made)")
    return "\n ".join(lines)


def _parameter(one: Field[Any]) -> str:
    if one.default_factory is not MISSING:
        return f"{one.name}=_absent"
    return one.name if one.default is MISSING else f"{one.name}=_{one.name}"
