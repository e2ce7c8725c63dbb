"""AES-256 in Galois/Counter Mode."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from functools import cached_property

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from application.ports.sealer import CannotUnseal
from domain.errors import Invalid

VERSION = b"\x01"
NONCE_BYTES = 12
LEAST_KEY_CHARACTERS = 32


class SealingKeyTooShort(Invalid):
    """A key has at least 32 characters: openssl rand -base64 32 makes one."""

    code = "sealing_key_too_short"


class AesGcmSealer:
    """Seals with the first of the keys and unseals with any of them, so that a key can be replaced by a newer one.

    Keys are long random texts. What is sealed is a version byte, a random nonce of 96 bits, and the ciphertext with
    its tag (NIST SP 800-38D); the context is authenticated with it. The keys are asked for when something is first
    sealed or unsealed; then SealingKeyTooShort may be raised.
    """

    def __init__(self, keys: Callable[[], Sequence[str]]) -> None:
        self._keys = keys

    @cached_property
    def _ciphers(self) -> Sequence[AESGCM]:
        keys = self._keys()
        if not keys or any(len(key) < LEAST_KEY_CHARACTERS for key in keys):
            raise SealingKeyTooShort
        return [AESGCM(_derived(key)) for key in keys]

    def seal(self, plain: bytes, *, context: bytes) -> bytes:
        """See the port."""
        nonce = os.urandom(NONCE_BYTES)
        return VERSION + nonce + self._ciphers[0].encrypt(nonce, plain, VERSION + context)

    def unseal(self, sealed: bytes, *, context: bytes) -> bytes:
        """See the port."""
        nonce, content = sealed[1 : 1 + NONCE_BYTES], sealed[1 + NONCE_BYTES :]
        if sealed[:1] != VERSION or len(nonce) != NONCE_BYTES:
            raise CannotUnseal
        for cipher in self._ciphers:
            try:
                return cipher.decrypt(nonce, content, VERSION + context)
            except InvalidTag:
                continue
        raise CannotUnseal


def _derived(key: str) -> bytes:
    # The text is random and long, so one hash makes a key of it; what is guessable needs more than that.
    return hashlib.blake2b(key.encode(), digest_size=32, person=b"factflow sealing").digest()
