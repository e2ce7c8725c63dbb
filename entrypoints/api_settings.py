"""The settings of how requests are taken, which are part of the server's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from entrypoints.setting_values import SWITCH, Kind, about, number, whole_number


def _read_origins(text: str) -> Sequence[str]:
    return tuple(_origin(one.strip()) for one in text.split(","))


def _origin(text: str) -> str:
    parts = urlsplit(text)
    is_one = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    if text != "*" and (
        not is_one or text != f"{parts.scheme}://{parts.netloc}" or parts.username is not None
    ):
        raise ValueError(text)
    return text.lower()


_ORIGINS = Kind(allowed="origins by commas, such as https://app.example.org, or *", read=_read_origins)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ApiSettings:
    """What a request may be like."""

    cors_origins: Sequence[str] = field(
        default=(),
        metadata=about(
            _ORIGINS,
            "Origins whose pages may use the API from a browser; * is all, with keys only.",
            shown="none",
        ),
    )
    traces: bool = field(
        default=False,
        metadata=about(
            SWITCH,
            "Whether spans of requests and messages are sent to a collector, as OTEL_* variables say; needs the extra otel.",
        ),
    )
    max_body_mib: int = field(
        default=10, metadata=about(whole_number(1, 1024), "How large the body of a request may be, in MiB.")
    )
    max_upload_mib: int = field(
        default=1024,
        metadata=about(whole_number(1, 1_048_576), "How large an uploaded object may be, in MiB."),
    )
    body_timeout_seconds: float = field(
        default=30.0,
        metadata=about(number(1, 3600), "How long to wait for each piece of a request's body, in seconds."),
    )
    answer_timeout_seconds: float = field(
        default=300.0,
        metadata=about(
            number(1, 86_400), "How long after a request has arrived its answer must begin, in seconds."
        ),
    )
