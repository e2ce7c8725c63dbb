"""What an exit code means, and which one an error has."""

from __future__ import annotations

from collections.abc import Mapping

from domain.errors import Conflict, FactflowError, Invalid, NotFound, Refused, Unavailable

OK = 0
FAILED = 1
INTERRUPTED = 130
BROKEN_PIPE = 141

KINDS: Mapping[type[FactflowError], int] = {
    Invalid: 2,
    NotFound: 4,
    Conflict: 5,
    Refused: 6,
    Unavailable: 7,
}
"""One exit code for each kind of error; click's own for a mistyped command is 2 as well."""

STATUSES: Mapping[int, type[FactflowError]] = {
    401: Refused,
    403: Refused,
    404: NotFound,
    408: Unavailable,
    409: Conflict,
    410: NotFound,
    412: Conflict,
    423: Conflict,
    425: Unavailable,
    428: Conflict,
    429: Refused,
    502: Unavailable,
    503: Unavailable,
    504: Unavailable,
}
"""Which kind of error an HTTP status tells of; every other 4xx is Invalid, every other 5xx has no kind."""

CODES: Mapping[str, type[FactflowError]] = {
    "index_exists": Conflict,
    "index_slot_unknown": NotFound,
    "replay_route_unknown": NotFound,
    "replay_stage_unknown": NotFound,
    "status_change_not_allowed": Conflict,
    "unknown_config": NotFound,
}
"""Which kind an error is whose documented status tells of another."""

MEANINGS: Mapping[int, str] = {
    OK: "done",
    FAILED: "it failed: an execution that did not complete, a check that found something, an unexpected error",
    2: "the command, a file or a setting is not valid",
    4: "what it names is not there",
    5: "it does not fit the present state",
    6: "it is not allowed",
    7: "something that is needed did not answer; try again",
    INTERRUPTED: "stopped by Ctrl-C",
    BROKEN_PIPE: "whoever read the output stopped reading",
}


def exit_code_of(error: BaseException) -> int:
    """The exit code of an error, FAILED for what is of no kind."""
    return next((code for kind, code in KINDS.items() if isinstance(error, kind)), FAILED)


def kind_of(status: int, code: object = None) -> type[FactflowError]:
    """The kind of error that an HTTP status tells of, or its code where that says more."""
    if isinstance(code, str) and code in CODES:
        return CODES[code]
    return STATUSES.get(status, Invalid if 400 <= status < 500 else FactflowError)
