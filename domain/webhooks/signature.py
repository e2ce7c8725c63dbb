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

PREFIX = "whsec_"
SIGNING_HEADERS = frozenset({"webhook-signature", "x-factflow-signature"})
"""Headers, in lower case, whose values are not shown afterwards."""


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
    signatures = (
        base64.b64encode(hmac.digest(standard_key(secret), signed, hashlib.sha256)) for secret in secrets
    )
    return {
        "webhook-id": delivery_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join("v1," + signature.decode() for signature in signatures),
        "X-Factflow-Event": event_type,
        "X-Factflow-Delivery": delivery_id,
        "X-Factflow-Signature": "sha256=" + hmac.digest(secrets[-1].encode(), body, hashlib.sha256).hex(),
    }
