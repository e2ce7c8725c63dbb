"""The settings of where stored objects lie, which are part of the server's."""

from __future__ import annotations

from dataclasses import dataclass, field

from entrypoints.embedding_settings import EmbeddingSettings
from entrypoints.setting_values import NAME, SECRET, STORAGE, SWITCH, about, address, shared


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class StorageSettings(EmbeddingSettings):
    """A folder or a bucket; all but the address is for buckets."""

    storage_url: str | None = field(
        default=None,
        metadata=shared(STORAGE, "Where stored objects lie; unset, in `storage` in the data folder."),
    )
    storage_endpoint: str | None = field(
        default=None,
        metadata=shared(
            address("http", "https"), "The S3 server to ask; unset, Amazon's, or what AWS_ENDPOINT_URL says."
        ),
    )
    storage_region: str | None = field(
        default=None, metadata=about(NAME, "The region of the bucket; unset, what AWS's own settings say.")
    )
    storage_access_key: str | None = field(
        default=None,
        metadata=about(
            SECRET, "The access key for S3; unset, what AWS's own settings and roles give.", is_secret=True
        ),
    )
    storage_secret_key: str | None = field(
        default=None, metadata=about(SECRET, "The secret key that belongs to it.", is_secret=True)
    )
    storage_path_style: bool | None = field(
        default=None,
        metadata=about(
            SWITCH, "Whether the bucket's name goes into the path and not into the host; unset, as it suits."
        ),
    )
    storage_create_bucket: bool = field(
        default=False, metadata=about(SWITCH, "Whether the bucket is made at the start if there is none.")
    )
    storage_checksum_headers: bool = field(
        default=True,
        metadata=about(
            SWITCH, "Whether the server is sent `x-amz-checksum-sha256` to keep; 0 for one that refuses it."
        ),
    )
