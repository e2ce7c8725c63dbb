"""Turns what boto3 raises into our errors, in one place."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from domain.errors import FactflowError, Refused, Unavailable

_BUSY = {
    "SlowDown",
    "RequestTimeout",
    "Throttling",
    "ThrottlingException",
    "TooManyRequests",
    "RequestTimeTooSkewed",
    "OperationAborted",
    "ConditionalRequestConflict",
    # Changed on the way: sent again it may arrive whole.
    "BadDigest",
    "XAmzContentSHA256Mismatch",
    "XAmzContentChecksumMismatch",
}
_NO_BUCKET = {"NoSuchBucket"}
_KEY_REFUSED = {401, 403}


class S3Unavailable(Unavailable):
    """The S3 storage cannot be reached, or does not answer."""

    code = "s3_unavailable"


class S3BucketMissing(Unavailable):
    """The bucket does not exist on the S3 server."""

    code = "s3_bucket_missing"


class S3Refused(Refused):
    """The S3 server refuses the request."""

    code = "s3_refused"


class S3ObjectCorrupt(Refused):
    """The content of a stored object is not what was written."""

    code = "s3_object_corrupt"


@contextmanager
def translating() -> Iterator[None]:
    """Let no exception of boto3 out: what may pass is Unavailable, what trying again does not help is Refused.

    A missing bucket is Unavailable too: an operator can make it, and until then nothing must be given up.
    """
    try:
        yield
    except FactflowError:
        raise
    except Exception as error:
        translated = _translated(error)
        if translated is None:
            raise
        raise translated from error


def status_of(error: Any) -> int:
    """The HTTP status of a ClientError."""
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def code_of(error: Any) -> str:
    """The S3 error code of a ClientError; the status as text where an answer has no body."""
    return str(error.response.get("Error", {}).get("Code", ""))


def _translated(error: Exception) -> FactflowError | None:
    # Only here: importing it takes a while, and whoever gets to this line has it already.
    from botocore import exceptions  # noqa: PLC0415

    if isinstance(error, exceptions.ClientError):
        return _answered(error)
    if isinstance(error, exceptions.NoCredentialsError | exceptions.PartialCredentialsError):
        return S3Refused(f"there is no key for the S3 server: {error}")
    if isinstance(error, exceptions.ParamValidationError | exceptions.ValidationError):
        return S3Refused(f"the S3 request cannot be made: {error}")
    if isinstance(error, exceptions.BotoCoreError | exceptions.HTTPClientError | OSError):
        return S3Unavailable(f"the S3 server did not answer: {error}")
    return None


def _answered(error: Any) -> FactflowError:
    code, status = code_of(error), status_of(error)
    said = str(error.response.get("Error", {}).get("Message", "")) or "no reason given"
    what = f"{error.operation_name} ({code}: {said})"
    if code in _NO_BUCKET:
        name = error.response.get("Error", {}).get("BucketName", "")
        return S3BucketMissing(f"the bucket {name} does not exist".replace("  ", " "))
    if status >= 500 or status == 429 or code in _BUSY:
        return S3Unavailable(f"the S3 server could not do {what}")
    if status in _KEY_REFUSED:
        return S3Refused(f"the S3 server refuses {what}; check the access key and what it may do")
    return S3Refused(f"the S3 server refuses {what}")
