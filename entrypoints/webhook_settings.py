"""The settings of webhooks, which are part of the server's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from domain.outbound import Network
from entrypoints.outbound_settings import OutboundSettings
from entrypoints.setting_values import NETWORKS, SWITCH, Kind, number, shared

LEAST_KEY_CHARACTERS = 32
MOST_RETRIES = 20
LONGEST_RETRY_SECONDS = 604_800.0


def _read_keys(text: str) -> Sequence[str]:
    keys = [one.strip() for one in text.split(",")]
    if not text.isascii() or not text.isprintable() or min(map(len, keys)) < LEAST_KEY_CHARACTERS:
        raise ValueError(text)
    return tuple(keys)


def _read_delays(text: str) -> Sequence[float]:
    delays = [number(1, LONGEST_RETRY_SECONDS).read(one.strip()) for one in text.split(",")]
    if len(delays) > MOST_RETRIES:
        raise ValueError(text)
    return tuple(delays)


_KEYS = Kind(allowed="a random text of at least 32 characters, or several by commas", read=_read_keys)
_DELAYS = Kind(allowed="up to 20 numbers of seconds by commas, each from 1 to 604800", read=_read_delays)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class WebhookSettings(OutboundSettings):
    """How webhooks are kept and sent; on top of other settings, because slots allow one base alone."""

    webhook_key: Sequence[str] | None = field(
        default=None,
        metadata=shared(
            _KEYS,
            "Seals webhooks' secrets in the database: the first key seals, all of them unseal; unset, an embedded server keeps one in its data folder.",
            is_secret=True,
        ),
    )
    webhook_allow_http: bool = field(
        default=False,
        metadata=shared(SWITCH, "Whether webhooks may be sent to addresses that begin with http://."),
    )
    webhook_allowed_networks: Sequence[Network] = field(
        default=(),
        metadata=shared(
            NETWORKS, "Networks that webhooks may be sent to besides public addresses.", shown="none"
        ),
    )
    webhook_retry_seconds: Sequence[float] = field(
        default=(60.0, 300.0, 1800.0, 7200.0, 43_200.0),
        metadata=shared(
            _DELAYS,
            "How long to wait after each failed attempt at a webhook; after one more it is dead.",
            shown="60, 300, 1800, 7200, 43200",
        ),
    )
    webhook_disable_after_hours: float = field(
        default=120.0,
        metadata=shared(
            number(1, 8760),
            "After how many hours of nothing but failures a webhook's endpoint is disabled; it is warned of after half of them.",
        ),
    )
