"""How the S3 server is reached: addresses, keys, time-outs and retries."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from adapters.s3.translation import S3Refused

CHECK_SECONDS = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """What is needed to reach a bucket.

    Without an ``endpoint_url`` it is on AWS, or where AWS_ENDPOINT_URL says. Without keys boto3 looks for them where it
    always does: in the environment, in its files, at the machine's role. ``path_style`` None means: on AWS the bucket
    is in the host name, at any other address in the path. ``attempts`` are those of one request, with boto3's back-off of up to one, two, four and
    so on seconds in between; ``connect_timeout`` and ``read_timeout`` are in seconds, for one attempt and one read.
    """

    endpoint_url: str | None
    region: str | None
    access_key: str | None
    secret_key: str | None = field(repr=False)
    path_style: bool | None
    connections: int
    attempts: int
    connect_timeout: float
    read_timeout: float

    def clients(self) -> tuple[Any, Any]:
        """A client for the work and one for health checks, which neither waits nor tries again.

        Raises S3Refused for a key without its secret, which boto3 would replace by others, and for an impossible address.
        """
        if (self.access_key is None) != (self.secret_key is None):
            raise S3Refused("for S3 an access key and its secret key belong together; one of them is missing")
        # An import of half a second, for whoever opens a bucket alone.
        import boto3.session  # noqa: PLC0415
        from botocore.config import Config  # noqa: PLC0415

        session = boto3.session.Session(
            aws_access_key_id=self.access_key, aws_secret_access_key=self.secret_key
        )
        styles = {None: "auto", True: "path", False: "virtual"}
        common = Config(
            signature_version="s3v4",
            # The signature covers the content's SHA-256, which every server then has to verify.
            s3={"addressing_style": styles[self.path_style], "payload_signing_enabled": True},
            # What else boto3 would add by itself, servers other than that of AWS often refuse.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            tcp_keepalive=True,
        )
        work = Config(
            connect_timeout=self.connect_timeout,
            read_timeout=self.read_timeout,
            retries={"mode": "standard", "total_max_attempts": self.attempts},
            max_pool_connections=self.connections,
        )
        check = Config(
            connect_timeout=CHECK_SECONDS,
            read_timeout=CHECK_SECONDS,
            retries={"mode": "standard", "total_max_attempts": 1},
        )
        return (
            self._client(session, common.merge(work)),
            self._client(session, common.merge(check)),
        )

    def _client(self, session: Any, config: Any) -> Any:
        region = self.region or session.region_name or "us-east-1"
        try:
            return session.client("s3", endpoint_url=self.endpoint_url, region_name=region, config=config)
        except ValueError as error:  # an address that is none, in the standard library's words
            raise S3Refused(f"the S3 request cannot be made: {error}") from error
