"""How a delivery is signed: by Standard Webhooks 1.0, and by the older ``X-Factflow-*`` headers, both at once.

Source: the specification of Standard Webhooks 1.0, sections "Webhook metadata" and "Signature scheme".
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache

PREFIX = "whsec_"
REDACTED = "***"
_REDACTED_SIGNATURES = {"webhook-signature": REDACTED, "X-Factflow-Signature": REDACTED}
KEYS_KEPT = 1000


def standard_key(secret: str) -> bytes:
    """The key of Standard Webhooks: what follows ``whsec_`` decoded from base64, any other secret's UTF-8 bytes."""
    if secret.startswith(PREFIX):
        try:
            key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if key:
            return key
    return secret.encode()


def signed_headers(
    secrets: Sequence[str], *, delivery_id: str, event_type: str, body: bytes, at: datetime
) -> Mapping[str, str]:
    """The headers that identify and sign one attempt. ``secrets`` are those that are valid, the newest first.

    Standard Webhooks gets a signature for each secret. ``X-Factflow-Signature`` has room for one: the oldest secret
    that is still valid signs it, so that a receiver changes over by the time that one expires.
    """
    timestamp = str(int(at.timestamp()))
    signed = b".".join((delivery_id.encode(), timestamp.encode(), body))
    signatures = (base64.b64encode(_digest(_keyed(secret), signed)) for secret in secrets)
    return {
        "webhook-id": delivery_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join("v1," + signature.decode() for signature in signatures),
        "X-Factflow-Event": event_type,
        "X-Factflow-Delivery": delivery_id,
        "X-Factflow-Signature": "sha256=" + _digest(_keyed_plainly(secrets[-1]), body).hex(),
    }


def redacted(signed: Mapping[str, str]) -> Mapping[str, str]:
    """The headers of ``signed_headers`` as people may see them."""
    return {**signed, **_REDACTED_SIGNATURES}


# To begin with a key takes longer than to go through a kilobyte, so what has begun with a key is copied.
@lru_cache(KEYS_KEPT)
def _keyed(secret: str) -> hmac.HMAC:
    return hmac.new(standard_key(secret), digestmod=hashlib.sha256)


@lru_cache(KEYS_KEPT)
def _keyed_plainly(secret: str) -> hmac.HMAC:
    return hmac.new(secret.encode(), digestmod=hashlib.sha256)


def _digest(keyed: hmac.HMAC, content: bytes) -> bytes:
    signing = keyed.copy()
    signing.update(content)
    return signing.digest()
