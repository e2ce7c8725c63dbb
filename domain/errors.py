"""The errors of factflow.

    FactflowError
    ├── Invalid        the request cannot be right, whatever the state      (HTTP 400/422, exit 2)
    ├── NotFound       what it names is not there                           (HTTP 404, exit 4)
    ├── Conflict       it does not fit the present state                    (HTTP 409, exit 5)
    ├── Refused        it is well-formed but not allowed                    (HTTP 403/429, exit 6)
    └── Unavailable    something we depend on did not answer; try again     (HTTP 503, exit 7)

Concrete errors sit beside their subject.
The docstring of an error class is its default message; ``code`` is stable and appears in every problem document.
"""

from __future__ import annotations


class FactflowError(Exception):
    """Something went wrong."""

    code = "internal_error"
    is_passing = False
    """Whether the same may well succeed a moment later, whatever the kind says."""

    def __init__(self, message: str | None = None) -> None:
        self.message = message or (type(self).__doc__ or "").strip().splitlines()[0]
        super().__init__(self.message)


class Invalid(FactflowError):
    """The request is not valid."""

    code = "invalid"


class NotFound(FactflowError):
    """Nothing of that name exists."""

    code = "not_found"


class Conflict(FactflowError):
    """The request does not fit the present state."""

    code = "conflict"


class Refused(FactflowError):
    """The request is not allowed."""

    code = "refused"


class Unavailable(FactflowError):
    """A service that is needed did not answer."""

    code = "unavailable"
