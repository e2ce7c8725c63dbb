"""Errors as OpenAI's clients look for them: the problem document with a member ``error`` besides."""

from __future__ import annotations

import logging

import msgspec
from msgspec import Struct

from adapters.http.correlation import REQUEST_ID
from adapters.http.problems import Problem, problem
from domain.errors import FactflowError

log = logging.getLogger(__name__)

PATH = "/v1/"


class OpenAiError(Struct, frozen=True, kw_only=True):
    """What went wrong, in OpenAI's words."""

    message: str
    type: str
    code: str
    param: str | None = None


class OpenAiProblem(Problem, frozen=True, kw_only=True):
    """A problem document that OpenAI's clients understand too."""

    error: OpenAiError


def openai_problem(plain: Problem) -> OpenAiProblem:
    """The problem with what those clients look for."""
    kind = "server_error" if plain.status >= 500 else "invalid_request_error"
    fields = plain.errors or []
    error = OpenAiError(
        message=plain.detail,
        type=kind,
        code=plain.error_code,
        param=fields[0].path if fields else None,
    )
    members = {name: getattr(plain, name) for name in Problem.__struct_fields__}
    return OpenAiProblem(**members, error=error)


def failure_chunk(error: Exception) -> bytes:
    """What a stream says that cannot go on."""
    if not isinstance(error, FactflowError):
        log.error("a streamed answer failed", exc_info=error)
        error = FactflowError(f"something went wrong; the log has the details under {REQUEST_ID.get()}")
    else:
        log.warning("a streamed answer ended early: %s", error)
    return msgspec.json.encode(openai_problem(problem(error)))
