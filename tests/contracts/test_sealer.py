"""What every ``Sealer`` does."""

from __future__ import annotations

import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.sealing.aes_gcm import AesGcmSealer, SealingKeyTooShort
from application.ports.sealer import CannotUnseal, Sealer

KEY, OTHER = (secrets.token_urlsafe(32) for _ in range(2))
SEALERS: list[Sealer] = [AesGcmSealer(lambda: [KEY])]


@pytest.mark.parametrize("sealer", SEALERS)
@given(plain=st.binary(max_size=200), context=st.binary(max_size=20))
def test_what_is_sealed_comes_back(sealer: Sealer, plain: bytes, context: bytes) -> None:
    """And cannot be read meanwhile."""
    sealed = sealer.seal(plain, context=context)
    assert sealer.unseal(sealed, context=context) == plain
    assert sealed != sealer.seal(plain, context=context)
    assert len(plain) < 4 or plain not in sealed


@pytest.mark.parametrize("sealer", SEALERS)
def test_one_bit_or_another_context_is_noticed(sealer: Sealer) -> None:
    """So a secret cannot be moved to another row."""
    sealed = sealer.seal(b"secret", context=b"a")
    changed = [
        bytes([*sealed[:place], sealed[place] ^ 1, *sealed[place + 1 :]]) for place in range(len(sealed))
    ]
    for one in [*changed, sealed[:-1], sealed[:5], b""]:
        with pytest.raises(CannotUnseal):
            sealer.unseal(one, context=b"a")
    with pytest.raises(CannotUnseal):
        sealer.unseal(sealed, context=b"b")


def test_an_older_key_still_unseals() -> None:
    """And nothing is sealed with it any more."""
    old, new = AesGcmSealer(lambda: [OTHER]), AesGcmSealer(lambda: [KEY, OTHER])
    assert new.unseal(old.seal(b"secret", context=b""), context=b"") == b"secret"
    with pytest.raises(CannotUnseal):
        old.unseal(new.seal(b"secret", context=b""), context=b"")


def test_a_short_key_is_refused() -> None:
    """It could be guessed."""
    given: list[list[str]] = [[], ["short"], [KEY, ""]]
    for keys in given:
        with pytest.raises(SealingKeyTooShort):
            AesGcmSealer(lambda keys=keys: keys).seal(b"", context=b"")  # type: ignore[misc]
