"""What chat is made of besides adapters."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from application.chat import Chat
from application.chat_conversations import Conversations
from application.chat_prompt_templates import PromptTemplates
from application.chat_prompts import Prompting
from application.chat_runs import AnswerRuns
from application.chat_threads import Threads, ThreadStore
from application.chat_titles import Titles
from application.ports.tokenizer import Tokenizer
from application.search import Search
from application.templates import TemplateCatalogue
from domain.chat import prompt
from domain.errors import Invalid
from entrypoints.composition.adapters import Adapters
from entrypoints.settings import Settings

MAX_PROMPT_BYTES = 64 * 1024


class PromptUnreadable(Invalid):
    """The file with the instructions for the language model cannot be read."""

    code = "prompt_unreadable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Chatting:
    """The use-cases of chat, of which ``runs`` is to be opened."""

    chat: Chat
    runs: AnswerRuns
    threads: Threads
    conversations: Conversations


def make_chatting(
    adapters: Adapters, search: Search, settings: Settings, templates: TemplateCatalogue
) -> Chatting:
    """The use-cases over a set of adapters; raises PromptUnreadable."""
    chat = Chat(
        search=search,
        storage=adapters.storage(),
        reader=adapters.reader(),
        prompting=make_prompting(settings, adapters.tokenizer(), _prompt_templates(templates, settings)),
        language_model=adapters.language_model(),
    )
    runs = AnswerRuns(chat=chat, clock=adapters.clock(), ids=adapters.ids())
    threads = Threads(
        persistent=ThreadStore(threads=adapters.chat_threads(), messages=adapters.chat_messages()),
        transient=ThreadStore(
            threads=adapters.transient_chat_threads(), messages=adapters.transient_chat_messages()
        ),
        clock=adapters.clock(),
        ids=adapters.ids(),
    )
    titles = Titles(threads=threads, language_model=chat.language_model)
    conversations = Conversations(threads=threads, runs=runs, titles=titles)
    return Chatting(chat=chat, runs=runs, threads=threads, conversations=conversations)


def make_prompting(
    settings: Settings, tokenizer: Tokenizer, templates: PromptTemplates | None = None
) -> Prompting:
    """How prompts are made; raises PromptUnreadable."""
    instructions = _instructions(settings.chat_prompt) if settings.chat_prompt else prompt.INSTRUCTIONS
    return Prompting(
        tokenizer=tokenizer,
        context_tokens=settings.chat_context_tokens,
        instructions=instructions,
        templates=templates,
    )


def _prompt_templates(catalogue: TemplateCatalogue, settings: Settings) -> PromptTemplates:
    return PromptTemplates(
        templates=catalogue.templates, shipped=catalogue.shipped, default=settings.chat_prompt_template
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
