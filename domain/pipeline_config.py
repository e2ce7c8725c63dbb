"""A pipeline config: stored, versioned YAML."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from domain.errors import Conflict, Invalid, NotFound

MAX_TEXT = 2000
_UNSTORABLE = re.compile(r"[\x00\ud800-\udfff]")


class ConfigNotFound(NotFound):
    """There is no pipeline config with that id."""

    code = "config_not_found"


class ConfigChanged(Conflict):
    """The pipeline config was changed by someone else meanwhile."""

    code = "config_changed"


class ConfigInactive(Conflict):
    """The pipeline config has been deactivated."""

    code = "config_inactive"


class InvalidConfigName(Invalid):
    """A config's name has 1 to 200 printable characters."""

    code = "invalid_config_name"


class InvalidConfigText(Invalid):
    """A config's description and source path have at most 2,000 characters and no NUL."""

    code = "invalid_config_text"


class ConfigSource(StrEnum):
    """Where a version of a config came from."""

    FILE = "file"
    API = "api"
    IMPORTED = "imported"


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineConfig:
    """One version of a stored config; an edit is a new version, running executions keep their snapshot."""

    id: UUID
    name: str
    yaml: str
    created_at: datetime
    updated_at: datetime
    source: ConfigSource = ConfigSource.API
    source_path: str | None = None
    description: str | None = None
    version: int = 1
    is_active: bool = True

    def __post_init__(self) -> None:
        if not 1 <= len(self.name) <= 200 or not self.name.isprintable():
            raise InvalidConfigName
        for text in (self.description, self.source_path):
            if text is not None and (len(text) > MAX_TEXT or _UNSTORABLE.search(text)):
                raise InvalidConfigText

    @property
    def config_hash(self) -> str:
        """Hex SHA-256 of the YAML text."""
        return hashlib.sha256(self.yaml.encode("utf-8", "surrogatepass")).hexdigest()

    def edited(
        self,
        *,
        at: datetime,
        name: str | None = None,
        yaml: str | None = None,
        description: str | None = None,
    ) -> PipelineConfig:
        """The next version, with what is given changed."""
        return replace(
            self,
            name=self.name if name is None else name,
            yaml=self.yaml if yaml is None else yaml,
            description=self.description if description is None else description,
            version=self.version + 1,
            updated_at=at,
        )

    def says_the_same_as(self, other: PipelineConfig) -> bool:
        """Whether name, text and description are those of the other version."""
        return (self.name, self.yaml, self.description) == (other.name, other.yaml, other.description)

    def deactivated(self, *, at: datetime) -> PipelineConfig:
        """The config after a soft delete; doing it twice changes nothing."""
        return self if not self.is_active else replace(self, is_active=False, updated_at=at)
