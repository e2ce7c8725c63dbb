"""One upload in parts, from its beginning to its completion or its end without one."""

from __future__ import annotations

import threading

from adapters.s3.bucket import Bucket

MAX_PARTS = 10_000


class Upload:
    """Parts of one object, none of which anybody sees before it is completed. Its methods may run in several threads.

    Aborting waits for what begins or completes the upload, and does nothing after it; parts must have come to rest.
    """

    def __init__(self, bucket: Bucket, key: str, *, content_type: str, user: dict[str, str]) -> None:
        self._bucket = bucket
        self._key = key
        self._content_type = content_type
        self._user = user
        self._id: str | None = None
        self._parts: dict[int, dict[str, str]] = {}
        self._is_changing = threading.Lock()

    def begin(self) -> None:
        """Open the upload on the server."""
        with self._is_changing:
            self._id = self._bucket.begin_upload(self._key, content_type=self._content_type, user=self._user)

    def add(self, number: int, content: bytes) -> None:
        """Send a part; numbers begin at 1."""
        if self._id is not None:
            self._parts[number] = self._bucket.put_part(self._key, self._id, number, content)

    def complete(self, *, if_absent: bool) -> bool:
        """Make the object; with ``if_absent`` False when there is one, and the upload is still to be aborted."""
        with self._is_changing:
            if self._id is None:
                return False
            is_made = self._bucket.complete_upload(self._key, self._id, self._parts, if_absent=if_absent)
            if is_made:
                self._id = None
            return is_made

    def abort(self) -> None:
        """Have the server forget the parts."""
        with self._is_changing:
            if self._id is not None:
                self._bucket.abort_upload(self._key, self._id)
                self._id = None
