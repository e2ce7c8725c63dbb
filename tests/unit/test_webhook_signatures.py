"""Signatures, as receivers verify them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from domain.webhooks.secret import (
    MOST_OLD_SECRETS,
    InvalidSecret,
    Secret,
    TooManySecrets,
    rotated,
    secret_of,
)
from domain.webhooks.signature import signed_headers, standard_key

BODY = '{"type":"execution.completed","data":{"tag":"nächtlich"}}'.encode()


def headers(*secrets: str, at: datetime | None = None, body: bytes = BODY) -> dict[str, str]:
    """The headers of an attempt."""
    return dict(
        signed_headers(
            secrets, delivery_id="01", event_type="execution.completed", body=body, at=at or datetime.now(UTC)
        )
    )


def documented_receiver_accepts(secret: str, body: bytes, given_headers: dict[str, str]) -> bool:
    """Written from the documentation of X-Factflow-Signature alone."""
    expected = "sha256=" + hmac.new(secret.encode("utf-8"), body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected, given_headers["X-Factflow-Signature"])


@given(key=st.binary(min_size=24, max_size=64), text=st.text(max_size=200))
def test_both_kinds_of_receivers_verify_what_we_sign(key: bytes, text: str) -> None:
    """Over any body, with any key."""
    body = json.dumps({"text": text}).encode()
    secret = secret_of(key)
    signed = headers(secret, body=body)
    assert Webhook(secret).verify(body, signed) == {"text": text}
    assert documented_receiver_accepts(secret, body, signed)


def test_the_official_library_verifies_a_delivery() -> None:
    """And refuses it with another body, another secret, or hours later."""
    secret = secret_of(b"k" * 32)
    assert Webhook(secret).verify(BODY, headers(secret))["type"] == "execution.completed"
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(BODY.replace(b"completed", b"cancelled"), headers(secret))
    with pytest.raises(WebhookVerificationError):
        Webhook(secret_of(b"x" * 32)).verify(BODY, headers(secret))
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(BODY, headers(secret, at=datetime.now(UTC) - timedelta(hours=2)))


def test_during_a_rotation_each_valid_secret_verifies() -> None:
    """The documented header has room for one: the oldest that is valid."""
    old, middle, new = (secret_of(letter * 32) for letter in (b"o", b"m", b"n"))
    signed = headers(new, middle, old)
    for secret in (old, middle, new):
        assert Webhook(secret).verify(BODY, signed)
    assert documented_receiver_accepts(old, BODY, signed)
    assert not documented_receiver_accepts(new, BODY, signed)


@pytest.mark.parametrize("secret", ["s3cret", "пароль", "whsec_", "whsec_not base64!", "a" * 500])
def test_any_text_is_a_secret(secret: str) -> None:
    """Its bytes sign where it is not in the form of Standard Webhooks."""
    assert standard_key(secret) == secret.encode()
    signed = headers(secret)
    assert documented_receiver_accepts(secret, BODY, signed)
    assert Webhook(base64.b64encode(secret.encode()).decode()).verify(BODY, signed)


def test_old_secrets_expire_at_their_moment() -> None:
    """Each at its own, and all at once when nothing old is to stay."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    secrets = rotated([Secret(text="one")], "two", old_until=now + timedelta(hours=1), now=now)
    later = now + timedelta(minutes=30)
    secrets = rotated(secrets, "three", old_until=later + timedelta(hours=1), now=later)
    assert [one.text for one in secrets if one.is_valid(later)] == ["three", "two", "one"]
    assert [one.text for one in secrets if one.is_valid(now + timedelta(minutes=70))] == ["three", "two"]
    assert [one.text for one in secrets if one.is_valid(now + timedelta(hours=2))] == ["three"]
    assert [one.text for one in rotated(secrets, "four", old_until=None, now=now)] == ["four"]


def test_up_to_ten_old_secrets_stay_valid() -> None:
    """The eleventh has to wait."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    until = now + timedelta(days=1)
    secrets = rotated([], "0", old_until=until, now=now)
    for number in range(MOST_OLD_SECRETS):
        secrets = rotated(secrets, str(number + 1), old_until=until, now=now)
    assert len(secrets) == MOST_OLD_SECRETS + 1
    with pytest.raises(TooManySecrets):
        rotated(secrets, "one more", old_until=until, now=now)


def test_a_secret_is_in_no_text() -> None:
    """And an empty one is none."""
    assert "s3cret" not in repr(Secret(text="s3cret"))
    for text in ("", "a\nb", "x" * 501):
        with pytest.raises(InvalidSecret):
            Secret(text=text)
