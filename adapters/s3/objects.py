"""The blocking half of the S3 storage: each method runs from beginning to end in a thread."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

from adapters.s3.bucket import Bucket
from adapters.s3.description import (
    FIELD,
    SIDECAR_FIELD,
    Description,
    Facts,
    described,
    header,
    sidecar,
)
from adapters.s3.keys import Keys
from adapters.s3.translation import S3Unavailable, code_of
from adapters.s3.upload import Upload
from domain.storage import ObjectNotFound, StoredObject

log = logging.getLogger(__name__)

ATTEMPTS = 5
"""How often something is looked at anew that others change meanwhile."""


@dataclass(frozen=True, slots=True)
class Pending:
    """An object that is being uploaded in parts, and the token of the sidecar it will have."""

    description: Description
    token: str
    upload: Upload


@dataclass(frozen=True, slots=True)
class S3Objects:
    """Objects and their sidecars in one bucket.

    A sidecar is there before the object that names it, and stays until that is gone.
    """

    bucket: Bucket
    keys: Keys
    now: Callable[[], datetime]

    def write(self, content: bytes, description: Description, *, if_absent: bool) -> StoredObject:
        """Store a whole content in one request; with ``if_absent`` an object that is there stays."""
        checksum = hashlib.sha256(content).hexdigest()
        stored = description.of(size=len(content), checksum=checksum, at=self.now())
        text = header(stored)
        token = None if text is not None else uuid4().hex
        if token is not None:
            self._write_sidecar(stored, token)
        user = {FIELD: text} if text is not None else {SIDECAR_FIELD: token or ""}

        def put() -> bool:
            return self.bucket.put(
                self.keys.full(stored.key),
                content,
                content_type=_sent_type(stored.content_type),
                user=user,
                if_absent=if_absent,
            )

        return self._placed(put, stored, token, if_absent=if_absent)

    def _placed(
        self, put: Callable[[], bool], stored: StoredObject, token: str | None, *, if_absent: bool
    ) -> StoredObject:
        """Put the object in place and remove the sidecar that is of no use then; what is there."""
        for _ in range(ATTEMPTS):
            former = None if if_absent else self.bucket.head(self.keys.full(stored.key))
            if put():
                self._remove_sidecar(stored.key, former.token if former is not None else None)
                return stored
            if self._is_ours(stored.key, token):
                return stored
            existing = self.find(stored.key)
            if existing is not None:
                self._remove_sidecar(stored.key, token)
                return existing
        raise S3Unavailable(f"the object {stored.key!r} comes and goes")

    def _is_ours(self, key: str, token: str | None) -> bool:
        """Whether the object that is there is the one that names this sidecar.

        The answer to a write may be lost; boto3 then repeats it, and is told that there is an object.
        """
        facts = self.bucket.head(self.keys.full(key)) if token is not None else None
        return facts is not None and facts.token == token

    def pending(self, description: Description) -> Pending:
        """Where to send a content that comes in pieces; to be completed or aborted."""
        token = uuid4().hex
        upload = Upload(
            self.bucket,
            self.keys.full(description.key),
            content_type=_sent_type(description.content_type),
            user={SIDECAR_FIELD: token},
        )
        return Pending(description, token, upload)

    def complete(self, pending: Pending, *, size: int, checksum: str, if_absent: bool) -> StoredObject:
        """Make what was uploaded visible; with ``if_absent`` an object that is there stays, and the upload too."""
        stored = pending.description.of(size=size, checksum=checksum, at=self.now())
        # Some servers keep the condition of a whole content, but not that of one in parts.
        if if_absent and (existing := self.find(stored.key)) is not None:
            return existing
        self._write_sidecar(stored, pending.token)

        def put() -> bool:
            try:
                return pending.upload.complete(if_absent=if_absent)
            except Exception as error:
                # The answer to a completion may be lost; trying again then finds no such upload.
                if getattr(error, "response", None) is None or code_of(error) != "NoSuchUpload":
                    raise
                if not self._is_ours(stored.key, pending.token):
                    raise
                return True

        return self._placed(put, stored, pending.token, if_absent=if_absent)

    def find(self, key: str) -> StoredObject | None:
        """The object as it is described; None when there is none."""
        for attempt in range(ATTEMPTS):
            facts = self.bucket.head(self.keys.full(key))
            if facts is None:
                return None
            beside = self.sidecar(key, facts)
            # A sidecar goes when its object is replaced, so the object is another by now, or the sidecar is lost.
            if beside is not None or facts.token is None or attempt == ATTEMPTS - 1:
                return described(key, facts, beside)
        return None  # pragma: no cover (the last attempt returns)

    def head(self, key: str) -> StoredObject:
        """The same; raises ObjectNotFound."""
        stored = self.find(key)
        if stored is None:
            # Without a body the answer does not tell a missing object from a missing bucket.
            self.bucket.require()
            raise not_found(key)
        return stored

    def list(self, prefix: str, after: str, *, limit: int, token: str | None) -> tuple[list[str], str | None]:
        """Keys after ``after``, and the token with which to go on; None at the end."""
        start = self.keys.start(prefix, after)
        if start is None:
            return [], None
        found, follows = self.bucket.keys(*start, limit=limit, token=token)
        if found != sorted(found):
            log.warning("the S3 server does not list keys in their order, so pages of lists may miss objects")
        return [key for full in found if (key := self.keys.key(full)) is not None and key > after], follows

    def delete(self, key: str) -> bool:
        """Remove the object, then its sidecar; whether there was one."""
        full = self.keys.full(key)
        facts = self.bucket.head(full)
        if facts is None:
            self.bucket.require()
            return False
        self.bucket.remove(full)
        self._remove_sidecar(key, facts.token)
        return True

    def sidecar(self, key: str, facts: Facts) -> bytes | None:
        """The content of the object's sidecar; None when it has none or it is not there."""
        if facts.token is None:
            return None
        found = self.bucket.get(self.keys.sidecar(key, facts.token))
        if found is None:
            return None
        with closing(found[1]) as body:
            content: bytes = body.read()
            return content

    def _write_sidecar(self, stored: StoredObject, token: str) -> None:
        self.bucket.put(
            self.keys.sidecar(stored.key, token), sidecar(stored), content_type="application/json", user={}
        )

    def _remove_sidecar(self, key: str, token: str | None) -> None:
        if token is not None:
            self.bucket.remove(self.keys.sidecar(key, token))


def not_found(key: str) -> ObjectNotFound:
    """The error for a key without an object."""
    return ObjectNotFound(f"there is no stored object {key!r}")


def _sent_type(content_type: str) -> str:
    return content_type.strip() or "application/octet-stream"
