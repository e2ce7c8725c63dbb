"""The requests that are made of a bucket. They block, and raise what boto3 raises."""

from __future__ import annotations

import base64
import hashlib
import random
import time
from collections.abc import Callable, Mapping
from typing import Any

from adapters.s3.description import Facts
from adapters.s3.translation import S3Unavailable, code_of, status_of

CONTENDED_ATTEMPTS = 6
PROBE = ".factflow-conditional-writes.meta.json"
"""An empty object that stays: written twice if absent, it tells whether the server keeps the condition."""

Parts = Mapping[int, Mapping[str, str]]


class Bucket:
    """One bucket, by full keys. Safe for use by several threads."""

    def __init__(self, client: Any, name: str, *, checksum_headers: bool) -> None:
        self._client = client
        self._name = name
        self._has_checksums = checksum_headers
        self.is_conditional = True
        """Whether the server keeps ``If-None-Match: *``; otherwise it is asked beforehand."""

    def close(self) -> None:
        self._client.close()

    def create(self) -> None:
        """Make the bucket unless it is there."""
        region = self._client.meta.region_name
        place = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        try:
            self._client.create_bucket(Bucket=self._name, **place)
        except (
            self._client.exceptions.BucketAlreadyOwnedByYou,
            self._client.exceptions.BucketAlreadyExists,
        ):
            # Another process was quicker; some servers do not say that it is ours.
            self.require()

    def require(self) -> None:
        """Raise NoSuchBucket when the bucket is not there."""
        try:
            self._client.head_bucket(Bucket=self._name)
        except self._client.exceptions.ClientError as error:
            if status_of(error) == 404:
                error.response["Error"] |= {"Code": "NoSuchBucket", "BucketName": self._name}
            raise

    def probe(self, prefix: str) -> None:
        """Find out whether the server keeps conditions; needs the right to write."""
        self.is_conditional = True
        key = prefix + PROBE
        for _ in range(2):
            if not self.put(key, b"", content_type="application/json", user={}, if_absent=True):
                return
        self.is_conditional = False

    def put(
        self, key: str, content: bytes, *, content_type: str, user: Mapping[str, str], if_absent: bool = False
    ) -> bool:
        """Whether it was stored; with ``if_absent`` False when there is an object."""
        more = {"ChecksumSHA256": _base64_sha256(content)} if self._has_checksums else {}

        def send(**condition: str) -> None:
            self._client.put_object(
                Bucket=self._name,
                Key=key,
                Body=content,
                ContentType=content_type,
                Metadata=dict(user),
                **more,
                **condition,
            )

        return self._sent(send, key, if_absent=if_absent)

    def _sent(self, send: Callable[..., None], key: str, *, if_absent: bool) -> bool:
        if not if_absent:
            send()
            return True
        for _ in range(CONTENDED_ATTEMPTS):
            if not self.is_conditional and self.head(key) is not None:
                return False
            try:
                send(**({"IfNoneMatch": "*"} if self.is_conditional else {}))
                return True
            except self._client.exceptions.ClientError as error:
                if status_of(error) == 412:
                    return False
                if status_of(error) == 501 and self.is_conditional:
                    self.is_conditional = False
                elif code_of(error) == "ConditionalRequestConflict":
                    time.sleep(random.uniform(0, 0.2))  # noqa: S311  # spreads writers, keeps no secret
                else:
                    raise
        raise S3Unavailable(f"too many writers of {key!r} at once")

    def head(self, key: str) -> Facts | None:
        """What is known of an object; None when there is none."""
        try:
            return _facts(self._client.head_object(Bucket=self._name, Key=key))
        except self._client.exceptions.ClientError as error:
            if status_of(error) == 404:
                return None
            raise

    def get(
        self, key: str, *, start: int = 0, end: int | None = None, etag: str | None = None
    ) -> tuple[Facts, Any] | None:
        """Facts and the body of a range, to be read and closed; None when there is no object.

        The size is that of the range. With an ``etag`` it raises when the object is another by now.
        """
        asked: dict[str, str] = {"IfMatch": etag} if etag else {}
        if start or end is not None:
            asked["Range"] = f"bytes={start}-" + ("" if end is None else str(end - 1))
        try:
            answer = self._client.get_object(Bucket=self._name, Key=key, **asked)
        except self._client.exceptions.NoSuchKey:
            return None
        if "Range" in asked and "ContentRange" not in answer:
            answer["Body"].close()
            raise S3Unavailable("the S3 server sent a whole object where a part was asked for")
        return _facts(answer), answer["Body"]

    def keys(
        self, prefix: str, after: str, *, limit: int, token: str | None = None
    ) -> tuple[list[str], str | None]:
        """Keys, and the token with which to ask for those that follow; None at the end.

        S3 lists them in the order of their UTF-8 bytes, which is that of their code points.
        """
        begin = {"StartAfter": after} if after else {}
        go_on = {"ContinuationToken": token} if token is not None else {}
        answer = self._client.list_objects_v2(
            Bucket=self._name, Prefix=prefix, MaxKeys=limit, **begin, **go_on
        )
        follows = answer.get("NextContinuationToken") if answer.get("IsTruncated") else None
        return [found["Key"] for found in answer.get("Contents", ())], follows

    def remove(self, key: str) -> None:
        """Remove an object if there is one."""
        self._client.delete_object(Bucket=self._name, Key=key)

    def begin_upload(self, key: str, *, content_type: str, user: Mapping[str, str]) -> str:
        """The id of an upload in parts."""
        more = {"ChecksumAlgorithm": "SHA256"} if self._has_checksums else {}
        answer = self._client.create_multipart_upload(
            Bucket=self._name, Key=key, ContentType=content_type, Metadata=dict(user), **more
        )
        return str(answer["UploadId"])

    def put_part(self, key: str, upload: str, number: int, content: bytes) -> dict[str, str]:
        """What is to be said of the part when the upload is completed."""
        sums = {"ChecksumSHA256": _base64_sha256(content)} if self._has_checksums else {}
        answer = self._client.upload_part(
            Bucket=self._name, Key=key, UploadId=upload, PartNumber=number, Body=content, **sums
        )
        return {"ETag": str(answer["ETag"]), **sums}

    def complete_upload(self, key: str, upload: str, parts: Parts, *, if_absent: bool) -> bool:
        """Make an object of the parts; with ``if_absent`` False when there is one."""
        listed = [{"PartNumber": number, **parts[number]} for number in sorted(parts)]

        def send(**condition: str) -> None:
            self._client.complete_multipart_upload(
                Bucket=self._name, Key=key, UploadId=upload, MultipartUpload={"Parts": listed}, **condition
            )

        return self._sent(send, key, if_absent=if_absent)

    def abort_upload(self, key: str, upload: str) -> None:
        """Give up an upload and its parts, unless it is over."""
        try:
            self._client.abort_multipart_upload(Bucket=self._name, Key=key, UploadId=upload)
        except self._client.exceptions.ClientError as error:
            if status_of(error) != 404:
                raise


def _facts(answer: Mapping[str, Any]) -> Facts:
    return Facts(
        size=int(answer["ContentLength"]),
        content_type=str(answer.get("ContentType") or "application/octet-stream"),
        modified_at=answer["LastModified"],
        etag=str(answer.get("ETag", "")),
        user={name.lower(): value for name, value in answer.get("Metadata", {}).items()},
    )


def _base64_sha256(content: bytes) -> str:
    return base64.b64encode(hashlib.sha256(content).digest()).decode()
