"""What an answer, or the want of one, means for a delivery."""

from __future__ import annotations

from enum import StrEnum


class Outcome(StrEnum):
    """What becomes of a delivery by one attempt.

    ``delivered``: it is done. ``retry``: again later, while attempts are left. ``dead``: never again by itself.
    ``gone``: dead, and the subscription is disabled.
    """

    DELIVERED = "delivered"
    RETRY = "retry"
    DEAD = "dead"
    GONE = "gone"


class Failure(StrEnum):
    """Why there was no answer."""

    DNS = "dns"
    CONNECT = "connect"
    TLS = "tls"
    TIMEOUT = "timeout"
    CLOSED_EARLY = "closed_early"
    PROTOCOL = "protocol"
    DESTINATION_REFUSED = "destination_refused"


_RETRIED = frozenset({408, 425, 429})
_THROTTLING = frozenset({429, 502, 503, 504})
GONE_STATUS = 410


def outcome_of(status: int | None, failure: Failure | None) -> Outcome:
    """The outcome of an attempt with this status, or without one for this reason.

    Only 2xx is success, and a redirect is a failure that nobody follows.
    """
    if status is None:
        return Outcome.DEAD if failure is Failure.DESTINATION_REFUSED else Outcome.RETRY
    if 200 <= status < 300:
        return Outcome.DELIVERED
    if status == GONE_STATUS:
        return Outcome.GONE
    return Outcome.RETRY if status in _RETRIED or 500 <= status < 600 else Outcome.DEAD


def is_throttling(status: int | None) -> bool:
    """Whether the answer asks to be sent less for a while, by a ``Retry-After`` when it has one."""
    return status in _THROTTLING
