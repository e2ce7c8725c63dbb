"""Recognises regular expressions that may take exponential time: a repetition inside a repetition."""

from __future__ import annotations

import re

# An escape, a character class, the opening of a group (with its flags), its end, a quantifier, or anything else.
_TOKEN = re.compile(
    r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|(?P<open>\()|(?P<close>\))|(?P<repeat>[*+]|\{[0-9]*,\})|.", re.DOTALL
)


def repeats_a_repetition(pattern: str) -> bool:
    r"""Whether a group that holds an unbounded repetition is itself repeated without bound.

    Such a pattern *may* be slow: ``(a+)+`` is, ``([a-z]+\.)+`` is not.
    """
    holds_repetition = [False]
    is_after_repeating_group = False
    for token in _TOKEN.finditer(pattern):
        if token["repeat"]:
            if is_after_repeating_group:
                return True
            holds_repetition[-1] = True
        is_after_repeating_group = False
        if token["open"]:
            holds_repetition.append(False)
        elif token["close"] and len(holds_repetition) > 1:
            is_after_repeating_group = holds_repetition.pop()
            holds_repetition[-1] |= is_after_repeating_group
    return False
