"""A template: a text with places for values, and the parameters that say which values may go there."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from domain.errors import Conflict, Invalid, NotFound, Refused
from domain.templates.parameters import Parameter

MAX_TEXT = 200_000
MAX_DESCRIPTION = 2_000
MAX_PARAMETERS = 100
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,98}[a-z0-9])?")
_UNSTORABLE = re.compile(r"[\x00\ud800-\udfff]")
PLACE = re.compile(r"\{\{\s*([A-Za-z_][A-Za-z0-9_]{0,63})\s*\}\}")


class TemplateNotFound(NotFound):
    """There is no template of that name or id."""

    code = "template_not_found"


class TemplateNameTaken(Conflict):
    """There is a template of that name already."""

    code = "template_name_taken"


class TemplateChanged(Conflict):
    """The template was changed by someone else meanwhile."""

    code = "template_changed"


class TemplateShipped(Refused):
    """Templates that come with the server stay as they are; create one of your own from its text."""

    code = "template_shipped"


class InvalidTemplate(Invalid):
    """The template is not valid."""

    code = "template_invalid"


class TemplateKind(StrEnum):
    """What a template's text becomes: the YAML of a pipeline config, or a prompt in plain text."""

    PIPELINE = "pipeline"
    PROMPT = "prompt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A template as it stands. Each ``{{ name }}`` in its text is a place for the value of the parameter of that name.

    Names are lower-case words joined by hyphens, and unique. ``is_shipped`` ones come with the server.
    """

    id: UUID
    name: str
    kind: TemplateKind
    text: str
    created_at: datetime
    updated_at: datetime
    description: str = ""
    parameters: Sequence[Parameter] = ()
    version: int = 1
    is_shipped: bool = False

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise InvalidTemplate("a template's name has 1 to 100 of a-z, 0-9 and hyphens within")
        if len(self.description) > MAX_DESCRIPTION or _UNSTORABLE.search(self.description):
            raise InvalidTemplate("a template's description has at most 2,000 characters and no NUL")
        if not self.text.strip() or len(self.text) > MAX_TEXT or _UNSTORABLE.search(self.text):
            raise InvalidTemplate("a template's text has 1 to 200,000 characters and no NUL")
        self._require_parameters()

    def _require_parameters(self) -> None:
        names = [parameter.name for parameter in self.parameters]
        if len(names) > MAX_PARAMETERS or len(set(names)) < len(names):
            raise InvalidTemplate("a template has up to 100 parameters, each of a name of its own")
        places = set(self.places)
        if missing := sorted(places - set(names)):
            raise InvalidTemplate(f"the text has places without a parameter: {', '.join(missing)}")
        if idle := sorted(set(names) - places):
            raise InvalidTemplate(f"the text has no place for: {', '.join(idle)}")

    @property
    def places(self) -> Sequence[str]:
        """The names at the text's places, in order."""
        return PLACE.findall(self.text)

    def edited(
        self,
        *,
        at: datetime,
        text: str | None = None,
        description: str | None = None,
        parameters: Sequence[Parameter] | None = None,
    ) -> Template:
        """The next version, with what is given changed; raises InvalidTemplate."""
        return replace(
            self,
            text=self.text if text is None else text,
            description=self.description if description is None else description,
            parameters=self.parameters if parameters is None else tuple(parameters),
            version=self.version + 1,
            updated_at=at,
        )

    def says_the_same_as(self, other: Template) -> bool:
        """Whether text, description and parameters are those of the other version."""
        mine, others = ((one.text, one.description, tuple(one.parameters)) for one in (self, other))
        return mine == others
