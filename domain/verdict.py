"""Whether a message whose pipeline adapter failed is worth another attempt."""

from __future__ import annotations

from enum import StrEnum

from domain.call_failure import CallFailureKind, classify_call_error, http_status
from domain.errors import Conflict, FactflowError, Invalid, NotFound, Refused, Unavailable

TERMINAL_KINDS = (Invalid, NotFound, Conflict, Refused)
UNMENDABLE = (ImportError, NotImplementedError, SyntaxError)
"""What Python raises where only other code would help."""


class Verdict(StrEnum):
    """``TERMINAL``: dead at once. ``RETRYABLE``: again, as often as retries are left. ``OUTAGE``: again, using up none."""

    TERMINAL = "terminal"
    RETRYABLE = "retryable"
    OUTAGE = "outage"


_OF_CALL = {
    CallFailureKind.TERMINAL: Verdict.TERMINAL,
    CallFailureKind.RETRYABLE: Verdict.RETRYABLE,
    CallFailureKind.RATE_LIMITED: Verdict.OUTAGE,
}


def verdict_on(error: BaseException) -> Verdict:
    """The verdict on an error, by the first line of this table that fits.

    Several at once (an exception group): terminal when one of them is, an outage when all are, else retryable.
    Unavailable: an outage. Another error of ours that passes: retryable. Invalid, NotFound, Conflict, Refused: terminal.
    An HTTP status: 429 and 529 an outage; 408, 409, 425 and from 500 on retryable; every other one terminal.
    ImportError, NotImplementedError, SyntaxError: terminal. Anything else, time-outs and broken connections among
    them: retryable.
    """
    if isinstance(error, BaseExceptionGroup):
        return _on_all({verdict_on(one) for one in error.exceptions})
    if isinstance(error, Unavailable):
        return Verdict.OUTAGE
    if isinstance(error, FactflowError) and error.is_passing:
        return Verdict.RETRYABLE
    if isinstance(error, TERMINAL_KINDS):
        return Verdict.TERMINAL
    if not isinstance(error, FactflowError) and http_status(error) is not None:
        return _OF_CALL[classify_call_error(error).kind]
    return Verdict.TERMINAL if isinstance(error, UNMENDABLE) else Verdict.RETRYABLE


def _on_all(verdicts: set[Verdict]) -> Verdict:
    if Verdict.TERMINAL in verdicts:
        return Verdict.TERMINAL
    return Verdict.OUTAGE if verdicts == {Verdict.OUTAGE} else Verdict.RETRYABLE
