"""What keeps a request from being answered because of who asks, or of how often."""

from __future__ import annotations

from domain.errors import Conflict, Invalid, NotFound, Refused


class NotAuthenticated(Refused):
    """This needs an API key: send one as Authorization: Bearer."""

    code = "not_authenticated"


class ApiKeyNotValid(NotAuthenticated):
    """The server knows no such API key."""

    code = "api_key_not_valid"


class ApiKeyExpired(NotAuthenticated):
    """The API key has expired."""

    code = "api_key_expired"


class ApiKeyRevoked(NotAuthenticated):
    """The API key was revoked."""

    code = "api_key_revoked"


class ScopeMissing(Refused):
    """The API key does not have the scope that this needs."""

    code = "scope_missing"

    def __init__(self, scope: str = "") -> None:
        super().__init__(f"this needs the scope {scope}" if scope else None)
        self.scope = scope


class ScopeNotHeld(Refused):
    """Nobody can give a key more than they may do themselves, or take over a key that may do more."""

    code = "scope_not_held"


class TooManyRequests(Refused):
    """There were too many requests with this API key; try again later."""

    code = "too_many_requests"

    def __init__(self, message: str | None = None, *, retry_after_seconds: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class MalformedApiKey(Invalid):
    """An API key is ff_<environment>_<43 letters and digits>_<6 letters and digits>, and the last part is its checksum."""

    code = "malformed_api_key"


class InvalidScope(Invalid):
    """A scope is a tag of the API or *, a colon, and read or write."""

    code = "invalid_scope"


class InvalidApiKey(Invalid):
    """A key has a name of 1 to 200 printable characters and at least one scope, and expires in the future if at all."""

    code = "invalid_api_key"


class ApiKeyNotFound(NotFound):
    """There is no API key of that id."""

    code = "api_key_not_found"


class ApiKeyChanged(Conflict):
    """The key was changed meanwhile; read it again."""

    code = "api_key_changed"


class ApiKeyUnusable(Conflict):
    """The key was revoked or has expired: create another."""

    code = "api_key_unusable"
