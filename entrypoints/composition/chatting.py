"""What chat is made of besides adapters."""

from __future__ import annotations

from pathlib import Path

from application.chat_prompts import Prompting
from application.ports.tokenizer import Tokenizer
from domain.chat import prompt
from domain.errors import Invalid
from entrypoints.settings import Settings

MAX_PROMPT_BYTES = 64 * 1024


class PromptUnreadable(Invalid):
    """The file with the instructions for the language model cannot be read."""

    code = "prompt_unreadable"


def make_prompting(settings: Settings, tokenizer: Tokenizer) -> Prompting:
    """How prompts are made; raises PromptUnreadable."""
    instructions = _instructions(settings.chat_prompt) if settings.chat_prompt else prompt.INSTRUCTIONS
    return Prompting(
        tokenizer=tokenizer, context_tokens=settings.chat_context_tokens, instructions=instructions
    )


def _instructions(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_PROMPT_BYTES + 1)
        text = content.decode("utf-8-sig").strip()
    except OSError as error:
        raise PromptUnreadable(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise PromptUnreadable(f"{path} is not text in UTF-8") from error
    if not text or "\0" in text or len(content) > MAX_PROMPT_BYTES:
        raise PromptUnreadable(f"{path} must hold a text of at most {MAX_PROMPT_BYTES} bytes")
    return text
