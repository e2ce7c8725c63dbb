"""Keeps what is secret unreadable where it is stored."""

from __future__ import annotations

from typing import Protocol

from domain.errors import Refused


class CannotUnseal(Refused):
    """What is sealed was sealed with another key: give the server the key that it had."""

    code = "cannot_unseal"


class Sealer(Protocol):
    """Authenticated encryption with a key that is kept elsewhere; the key it was sealed with may be an older one."""

    def seal(self, plain: bytes, *, context: bytes) -> bytes:
        """The bytes, unreadable and unchangeable without the key; twice the same gives two different results."""
        ...

    def unseal(self, sealed: bytes, *, context: bytes) -> bytes:
        """The bytes again; raises CannotUnseal unless key, context and every bit are those of the sealing."""
        ...
