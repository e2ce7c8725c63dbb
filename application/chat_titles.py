"""Names threads by what is spoken of in them."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from uuid import UUID

from application.chat_threads import Threads, ThreadStore
from application.ports.language_model import ChatMessage, CompletionOptions, LanguageModel
from domain.chat import prompt
from domain.chat.thread import NEW_TITLE, Thread, TitleOrigin, question_title, tidy_title
from domain.errors import FactflowError

log = logging.getLogger(__name__)

MOST_TOKENS = 40
_READ_CHARACTERS = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Titles:
    """A thread is called by its first question at once, and better by the language model if there is one.

    A title that its owner gave stays.
    """

    threads: Threads
    language_model: LanguageModel | None = None

    async def begin(self, thread: Thread, store: ThreadStore, question: str) -> None:
        """Call a thread without a title by its first question."""
        await store.threads.rename(
            thread.id,
            owner=thread.owner,
            title=question_title(question),
            origin=TitleOrigin.QUESTION,
            instead_of=TitleOrigin.NONE,
        )

    async def improve(self, thread: Thread, store: ThreadStore, question: str, answer: str) -> None:
        """Have the language model name a thread that is called by its question; what fails leaves it so."""
        try:
            if title := await self._generated(question, answer):
                await store.threads.rename(
                    thread.id,
                    owner=thread.owner,
                    title=title,
                    origin=TitleOrigin.GENERATED,
                    instead_of=TitleOrigin.QUESTION,
                )
        except FactflowError as error:
            log.warning("a thread got no title: %s", error)

    async def generate(self, thread_id: UUID, *, owner: str) -> Thread:
        """Name a thread anew by its first question and answer, whoever gave it its title.

        Raises ThreadNotFound, LanguageModelUnavailable, LanguageModelRefused.
        """
        thread, store = await self.threads.get(thread_id, owner=owner)
        path = await store.messages.path(thread_id, leaf=thread.head_id, limit=2) if thread.head_id else ()
        question, answer = ([message.content for message in path] + ["", ""])[:2]
        title = await self._generated(question, answer) if question else None
        origin = TitleOrigin.GENERATED if title else TitleOrigin.QUESTION if question else TitleOrigin.NONE
        title = title or (question_title(question) if question else NEW_TITLE)
        await store.threads.rename(thread_id, owner=owner, title=title, origin=origin, instead_of=None)
        return replace(thread, title=title, title_origin=origin)

    async def _generated(self, question: str, answer: str) -> str | None:
        if self.language_model is None:
            return None
        spoken = f"Question: {question[:_READ_CHARACTERS]}\n\nAnswer: {answer[:_READ_CHARACTERS]}"
        messages = (
            ChatMessage(role="system", content=prompt.TITLE_INSTRUCTIONS),
            ChatMessage(role="user", content=spoken),
        )
        completion = await self.language_model.complete(messages, CompletionOptions(max_tokens=MOST_TOKENS))
        return tidy_title(completion.text)
