"""What can go wrong while an answer is written."""

from __future__ import annotations

from domain.errors import Invalid, NotFound, Refused, Unavailable


class InvalidChatRequest(Invalid):
    """The chat request is not valid."""

    code = "chat_request_invalid"


class LanguageModelUnavailable(Unavailable):
    """The language model did not answer."""

    code = "language_model_unavailable"


class LanguageModelRefused(Refused):
    """The language model rejected the request."""

    code = "language_model_refused"


class NoLanguageModel(Unavailable):
    """No language model is configured, and this kind of answer needs one."""

    code = "language_model_not_configured"


class AnswerFailed(Unavailable):
    """The answer could not be written."""

    code = "answer_failed"


class AnswerInterrupted(Unavailable):
    """The answer was interrupted: what there is of it is kept, and it can be written anew."""

    code = "answer_interrupted"


class AnswerStreamNotFound(NotFound):
    """There is no such stream here, or not any more."""

    code = "answer_stream_not_found"
