"""The text of an API key: ``ff_<environment>_<random>_<crc>``.

The random part is 256 bits in base 62. The checksum, CRC-32 (ISO-HDLC) of all that stands before it in base 62, lets
a scanner of leaked secrets and the server itself tell a key from what only looks like one, without asking a database.
"""

from __future__ import annotations

import hashlib
import re
import zlib

from domain.access.errors import MalformedApiKey

PREFIX = "ff"
RANDOM_BYTES = 32
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_RANDOM_CHARACTERS, _CRC_CHARACTERS = 43, 6
ENVIRONMENT = re.compile(r"[a-z0-9]{1,16}")
_SHAPE = re.compile(
    rf"(?P<body>{PREFIX}_{ENVIRONMENT.pattern}_[0-9A-Za-z]{{{_RANDOM_CHARACTERS}}})_(?P<crc>[0-9A-Za-z]{{{_CRC_CHARACTERS}}})"
)
_SHOWN_CHARACTERS = 4


def key_text(environment: str, randomness: bytes) -> str:
    """A key from 32 random bytes; raises ValueError for another number of them, MalformedApiKey for the environment."""
    if len(randomness) != RANDOM_BYTES:
        raise ValueError("a key takes 32 random bytes")
    if not ENVIRONMENT.fullmatch(environment):
        raise MalformedApiKey("the environment in a key is 1 to 16 small letters and digits")
    body = f"{PREFIX}_{environment}_{_base62(int.from_bytes(randomness, 'big'), _RANDOM_CHARACTERS)}"
    return f"{body}_{_checksum(body)}"


def require_key(text: str) -> None:
    """Raise MalformedApiKey unless the text is a key whose checksum is right."""
    match = _SHAPE.fullmatch(text)
    if match is None or _checksum(match["body"]) != match["crc"]:
        raise MalformedApiKey


def digest_of(text: str) -> str:
    """What is kept of a key: the hex SHA-256 of its text. It has 256 random bits, so no slower hash is called for."""
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def hint_of(text: str) -> str:
    """As much of a key as a person needs to recognise it: its environment and four characters."""
    prefix, environment, random, _ = text.split("_")
    return f"{prefix}_{environment}_{random[:_SHOWN_CHARACTERS]}"


def _checksum(body: str) -> str:
    return _base62(zlib.crc32(body.encode("ascii")), _CRC_CHARACTERS)


def _base62(number: int, characters: int) -> str:
    digits = ""
    for _ in range(characters):
        number, digit = divmod(number, len(_DIGITS))
        digits = _DIGITS[digit] + digits
    return digits
