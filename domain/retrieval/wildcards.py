"""Patterns of SQL's LIKE: ``%`` stands for any run of characters, ``_`` for one, a backslash takes the next as it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

ESCAPE = "\\"
ANY_RUN = True
ANY_ONE = False

_Piece: TypeAlias = "str | bool"


def is_complete(pattern: str) -> bool:
    """Whether the pattern's last backslash has something to take."""
    return (len(pattern) - len(pattern.rstrip(ESCAPE))) % 2 == 0


def is_like(text: str, pattern: str) -> bool:
    """Whether the whole text is as the pattern says, in at most length times length steps."""
    tokens = _tokens(pattern)
    at = token = resume_token = resume_at = 0
    has_run = False
    while at < len(text):
        if token < len(tokens) and tokens[token] is ANY_RUN:
            has_run, resume_token, resume_at = True, token + 1, at
            token += 1
        elif token < len(tokens) and tokens[token] in (ANY_ONE, text[at]):
            at, token = at + 1, token + 1
        elif has_run:
            # The last run takes one character more.
            resume_at += 1
            at, token = resume_at, resume_token
        else:
            return False
    return all(rest is ANY_RUN for rest in tokens[token:])


def _tokens(pattern: str) -> Sequence[_Piece]:
    tokens: list[_Piece] = []
    characters = iter(pattern)
    for character in characters:
        if character == ESCAPE:
            tokens.append(next(characters, ESCAPE))
        else:
            tokens.append({"%": ANY_RUN, "_": ANY_ONE}.get(character, character))
    return tokens
