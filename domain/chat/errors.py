"""What can go wrong while an answer is written."""

from __future__ import annotations

from domain.errors import Invalid, Refused, Unavailable


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
