"""The settings of crawling websites, which are part of the server's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from entrypoints.retention_settings import RetentionSettings
from entrypoints.setting_values import NETWORKS, about


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class CrawlSettings(RetentionSettings):
    """Where pipelines may fetch from; on top of other settings, because slots allow one base alone."""

    crawl_allowed_networks: Sequence[str] = field(
        default=(),
        metadata=about(
            NETWORKS, "Networks whose websites pipelines may fetch besides public ones.", shown="none"
        ),
    )
