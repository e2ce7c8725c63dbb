"""The settings of chat, which are part of the server's."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from domain.chat.prompt import CONTEXT_TOKENS
from domain.chat.request import MAX_CONTEXT_TOKENS, MIN_CONTEXT_TOKENS
from entrypoints.setting_values import NAME, PATH, about, whole_number
from entrypoints.webhook_settings import WebhookSettings


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ChatSettings(WebhookSettings):
    """What a language model is given."""

    chat_context_tokens: int = field(
        default=CONTEXT_TOKENS,
        metadata=about(
            whole_number(MIN_CONTEXT_TOKENS, MAX_CONTEXT_TOKENS),
            "How many tokens of sources and earlier turns a language model is given at most.",
        ),
    )
    chat_prompt: Path | None = field(
        default=None,
        metadata=about(
            PATH, "A text file with the instructions for the language model; unset, those of this version."
        ),
    )
    chat_prompt_template: str | None = field(
        default=None,
        metadata=about(
            NAME,
            "The template from which the language model's prompts are written where a request names none; it goes before `FACTFLOW_CHAT_PROMPT`.",
        ),
    )
