"""How the text of a setting becomes a value, and what is said when it cannot."""

from __future__ import annotations

import ipaddress
import math
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from domain.outbound import networks

_WHOLE = re.compile(r"[+-]?[0-9]{1,18}")
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")
_HOST_NAME = re.compile(r"(?=.{1,253}$)[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_-]+)*\.?")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_YES = frozenset({"1", "true", "yes", "on"})
_NO = frozenset({"0", "false", "no", "off"})

PROCESSES, SERVERS = "processes", "servers"
"""Who must have the same of a setting; servers are the processes that answer requests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What a setting may be: ``read`` raises ValueError for every text that ``allowed`` does not describe."""

    allowed: str
    read: Callable[[str], Any]


def about(kind: Kind, meaning: str, *, shown: str | None = None, is_secret: bool = False) -> dict[str, Any]:
    """What is known of a setting; ``shown`` is how the reference page writes a default that depends on the machine."""
    return {"kind": kind, "meaning": meaning, "shown": shown, "is_secret": is_secret, "shared_by": None}


def shared(kind: Kind, meaning: str, *, by: str = PROCESSES, **more: Any) -> dict[str, Any]:
    """As ``about``, of a setting that must be the same for all of those; its meaning says so."""
    stated = f"{meaning.removesuffix('.')}; the same for all {by}."
    return about(kind, stated, **more) | {"shared_by": by}


def whole_number(least: int, most: int) -> Kind:
    """A whole number in decimal digits."""

    def read(text: str) -> int:
        if not _WHOLE.fullmatch(text) or not least <= int(text) <= most:
            raise ValueError(text)
        return int(text)

    return Kind(allowed=f"a whole number from {least} to {most}", read=read)


def number(least: float, most: float) -> Kind:
    """A finite decimal number."""

    def read(text: str) -> float:
        value = float(text) if _NUMBER.fullmatch(text) else math.nan
        if not least <= value <= most:
            raise ValueError(text)
        return value

    return Kind(allowed=f"a number from {least:g} to {most:g}", read=read)


def one_of(*choices: str) -> Kind:
    """One of a few words, in any case."""

    def read(text: str) -> str:
        if text.lower() not in choices:
            raise ValueError(text)
        return text.lower()

    return Kind(allowed=f"one of {', '.join(choices)}", read=read)


def _read_switch(text: str) -> bool:
    if text.lower() not in _YES | _NO:
        raise ValueError(text)
    return text.lower() in _YES


def _read_host(text: str) -> str:
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    try:
        return str(ipaddress.ip_address(bare))
    except ValueError:
        if bare != text or not _HOST_NAME.fullmatch(text) or re.fullmatch(r"[0-9.]+", text):
            raise
    return text


def _read_path(text: str) -> Path:
    if not text.isprintable():
        raise ValueError(text)
    try:
        return Path(os.path.abspath(Path(text).expanduser()))  # noqa: PTH100  # Path.absolute() keeps `..`
    except (OSError, RuntimeError) as error:
        raise ValueError(text) from error


def _read_line(text: str) -> str:
    if not text.isprintable() or not text.isascii():
        raise ValueError("not printable")
    return text


def _read_name(text: str) -> str:
    if not text.isprintable() or len(text) > 200:
        raise ValueError(text)
    return text


def address(*schemes: str) -> Kind:
    """A URL with a host and one of the schemes, and without a password, for which there are other settings."""

    def read(text: str) -> str:
        parts = urlsplit(text)
        if not text.isprintable() or parts.scheme.lower() not in schemes or not parts.hostname:
            raise ValueError(text)
        if parts.username is not None or parts.port == 0:  # a port that is none raises ValueError itself
            raise ValueError(text)
        return text

    beginnings = " or ".join(f"{scheme}://" for scheme in schemes)
    return Kind(allowed=f"an address that begins with {beginnings}, without user and password", read=read)


def _read_database(text: str) -> str:
    parts = urlsplit(text)
    if not text.isprintable() or parts.scheme not in {"postgresql", "postgres"} or parts.port == 0:
        raise ValueError(text)
    return text


def _read_brokers(text: str) -> str:
    for one in text.split(","):
        parts = urlsplit(one.strip())
        if not text.isprintable() or parts.scheme not in {"amqp", "amqps"} or not parts.hostname:
            raise ValueError(text)
        if parts.port == 0:
            raise ValueError(text)
    return text


def _read_storage(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme == "s3":
        if not _BUCKET.fullmatch(parts.netloc) or parts.query or parts.fragment or not text.isprintable():
            raise ValueError(text)
        return text
    if "://" in text:
        raise ValueError(text)
    return str(_read_path(text))


NETWORKS = Kind(allowed="networks in CIDR notation by commas, such as 10.1.0.0/16", read=networks)
SWITCH = Kind(allowed="1, true, yes, on or 0, false, no, off", read=_read_switch)
HOST = Kind(allowed="a host name or an IP address, without a port", read=_read_host)
PATH = Kind(allowed="a path", read=_read_path)
SECRET = Kind(allowed="printable ASCII characters on one line", read=_read_line)
NAME = Kind(allowed="1 to 200 printable characters", read=_read_name)
DATABASE = Kind(
    allowed="a PostgreSQL address, postgresql://user:password@host:5432/name",
    read=_read_database,
)
BROKERS = Kind(
    allowed="RabbitMQ's address, amqp://user:password@host:5672/vhost, or several by commas",
    read=_read_brokers,
)
STORAGE = Kind(allowed="s3://bucket/prefix, or a path to a folder", read=_read_storage)
