"""Where a key lies in the bucket."""

from __future__ import annotations

import re
from dataclasses import dataclass

from domain.storage import MAX_KEY_BYTES, SIDECAR_SUFFIX, InvalidKey, require_valid_key

_IN_NO_KEY = re.compile(r"[\x00-\x1f\x7f-\x9f\\\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Keys:
    """Keys below ``prefix``, which is empty or a key itself."""

    prefix: str

    def __post_init__(self) -> None:
        bare = self.prefix.strip("/")
        if bare:
            require_valid_key(bare)
        object.__setattr__(self, "prefix", f"{bare}/" if bare else "")

    def full(self, key: str) -> str:
        """The key in the bucket; raises InvalidKey for one that is not allowed or does not fit below the prefix."""
        full = self.prefix + require_valid_key(key)
        if len(full.encode()) > MAX_KEY_BYTES:
            raise InvalidKey(
                f"the storage key {key[:200]!r} is not allowed: with the prefix {self.prefix!r} it is longer than "
                f"{MAX_KEY_BYTES} bytes"
            )
        return full

    def sidecar(self, key: str, token: str) -> str:
        """The key in the bucket of a sidecar: the object's own, cut short where it would not fit, and the token."""
        ending = f".{token}{SIDECAR_SUFFIX}"
        room = MAX_KEY_BYTES - len(ending)
        return self.full(key).encode()[:room].decode(errors="ignore").rstrip("/") + ending

    def key(self, full: str) -> str | None:
        """The key of what lies in the bucket; None for sidecars and strangers."""
        key = full.removeprefix(self.prefix)
        try:
            return require_valid_key(key)
        except InvalidKey:
            return None

    def start(self, prefix: str, after: str) -> tuple[str, str] | None:
        """Prefix and key to begin a list after, as the server is asked; None when no key can be listed.

        What is asked for begins no later than what is wanted: characters that no key has are not sent. Neither is a key
        that does not begin with the prefix, which some servers answer with an empty list.
        """
        is_behind = after > prefix and not after.startswith(prefix)
        if is_behind or _IN_NO_KEY.search(prefix) or len((self.prefix + prefix).encode()) > MAX_KEY_BYTES:
            return None
        sent = _IN_NO_KEY.split(after, maxsplit=1)[0].encode()[: MAX_KEY_BYTES - len(self.prefix.encode())]
        begin = sent.decode(errors="ignore")
        has_begin = begin and begin.startswith(prefix)
        return self.prefix + prefix, self.prefix + begin if has_begin else ""
