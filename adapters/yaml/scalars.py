"""What plain scalars stand for: the core schema of YAML 1.2.2 (section 10.3.2)."""

from __future__ import annotations

import math
import re

NULLS = frozenset({"", "~", "null", "Null", "NULL"})
BOOLEANS = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")

# What YAML 1.1 reads as a boolean, an octal, a binary, an underscored or a sexagesimal number, or as text.
_AMBIGUOUS = re.compile(
    r"(?i:yes|no|on|off)"
    r"|[-+]?0[0-9_]+"
    r"|[-+]?0b[01_]+"
    r"|[-+]?[0-9][0-9_]*_[0-9_]*(?:\.[0-9_]*)?"
    r"|[-+]?[0-9]+(?::[0-5]?[0-9])+"
    r"|[-+]?[0-9.]+[eE][0-9]+"
)
_MAX_DIGITS = 400
"""More than any finite number needs when it is written out."""


class InexactNumber(ValueError):
    """A number that is not finite, or outside 64 bits."""


def resolved(text: str) -> str | int | float | bool | None:
    """The value of a plain scalar; raises InexactNumber."""
    if text in NULLS:
        return None
    if text in BOOLEANS:
        return BOOLEANS[text]
    if _INTEGER.fullmatch(text):
        return _integer(text)
    if _FLOAT.fullmatch(text):
        return _float(text)
    if _NOT_FINITE.fullmatch(text):
        raise InexactNumber("it is not finite")
    return text


def is_ambiguous(text: str) -> bool:
    """Whether YAML 1.1 gives the plain scalar another value."""
    return len(text) <= _MAX_DIGITS and _AMBIGUOUS.fullmatch(text) is not None


def _integer(text: str) -> int:
    if len(text) > _MAX_DIGITS:
        raise InexactNumber("it does not fit in 64 bits")
    base = {"0o": 8, "0x": 16}.get(text[:2], 10)
    number = int(text, base)
    if not -(2**63) <= number < 2**63:
        raise InexactNumber("it does not fit in 64 bits")
    return number


def _float(text: str) -> float:
    number = float(text) if len(text) <= _MAX_DIGITS else math.inf
    if not math.isfinite(number):
        raise InexactNumber("it is too large")
    return number
