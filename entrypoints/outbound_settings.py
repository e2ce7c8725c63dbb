"""The settings of where the server may go when it is asked to, which are part of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from domain.outbound import Network
from entrypoints.retention_settings import RetentionSettings
from entrypoints.setting_values import NETWORKS, about, shared


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class OutboundSettings(RetentionSettings):
    """Whose addresses besides public ones; on top of other settings, because slots allow one base alone."""

    crawl_allowed_networks: Sequence[Network] = field(
        default=(),
        metadata=shared(
            NETWORKS, "Networks whose websites pipelines may fetch besides public ones.", shown="none"
        ),
    )
    diagnostic_allowed_networks: Sequence[Network] = field(
        default=(),
        metadata=about(
            NETWORKS, "Networks whose brokers `mq-diagnostic` may try besides public ones.", shown="none"
        ),
    )
