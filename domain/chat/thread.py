"""Conversations that are kept: threads and their messages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from domain.chat.answer import ChatAnswer
from domain.chat.request import ChatRequest, Turn
from domain.errors import Conflict, Invalid, NotFound

MAX_TITLE_CHARACTERS = 200
MAX_MESSAGES = 2_000
"""Messages of one thread, those of all its branches counted."""

SILENT_AFTER = timedelta(seconds=30)
"""An answer under way of which its writer says nothing for so long was interrupted."""

_TITLE_CHARACTERS = 60
NEW_TITLE = "New thread"


class ThreadNotFound(NotFound):
    """There is no chat thread with that id."""

    code = "thread_not_found"


class MessageNotFound(NotFound):
    """There is no message with that id in the thread."""

    code = "message_not_found"


class ThreadBusy(Conflict):
    """The thread's last answer is still being written, or somebody else has just written in the thread."""

    code = "thread_busy"


class ThreadFull(Conflict):
    """The thread has as many messages as one may have: branch from a message, or begin another."""

    code = "thread_full"


class InvalidThread(Invalid):
    """The thread cannot be as it is asked for."""

    code = "thread_invalid"


class MessageNotAnAnswer(Invalid):
    """The message is no answer: only answers are streamed and written anew."""

    code = "message_not_an_answer"


class Role(StrEnum):
    """Who wrote a message."""

    USER = "user"
    ASSISTANT = "assistant"


class MessageStatus(StrEnum):
    """How a message stands: an answer is being written, then it is complete, or has failed, or was interrupted."""

    WRITING = "writing"
    COMPLETE = "complete"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


class TitleOrigin(StrEnum):
    """Who gave a thread its title: nobody yet, its first question, a language model, or its owner."""

    NONE = "none"
    QUESTION = "question"
    GENERATED = "generated"
    GIVEN = "given"


@dataclass(frozen=True, slots=True, kw_only=True)
class Thread:
    """One conversation. ``owner`` is the id of the principal who may see it, "" on an open server.

    ``head_id`` is the message that what is said next follows; ``messages`` counts those of all branches. A transient
    thread is in the memory of one process only. ``origin`` is the thread and message that it was branched from.
    """

    id: UUID
    created_at: datetime
    updated_at: datetime
    owner: str = ""
    title: str = NEW_TITLE
    title_origin: TitleOrigin = TitleOrigin.NONE
    is_transient: bool = False
    head_id: UUID | None = None
    messages: int = 0
    origin: tuple[UUID, UUID] | None = None

    def __post_init__(self) -> None:
        if not self.title.strip() or len(self.title) > MAX_TITLE_CHARACTERS:
            raise InvalidThread(f"a title has 1 to {MAX_TITLE_CHARACTERS} characters")


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message. ``parent_id`` is the one it follows; answers to the same question are alternatives.

    ``depth`` is how many messages come before it. A question keeps the ``request`` it was asked with, without its
    history; an answer the ``answer`` as far as it has come. ``updated_at`` is when its writer was last heard of.
    ``error`` has the code and the message of what it failed at.
    """

    id: UUID
    thread_id: UUID
    role: Role
    content: str
    created_at: datetime
    updated_at: datetime
    parent_id: UUID | None = None
    depth: int = 0
    status: MessageStatus = MessageStatus.COMPLETE
    request: ChatRequest | None = None
    answer: ChatAnswer | None = None
    error: Mapping[str, str] | None = None

    def as_of(self, now: datetime) -> Message:
        """As it stands then: what nobody goes on writing was interrupted."""
        is_silent = self.status is MessageStatus.WRITING and now - self.updated_at > SILENT_AFTER
        return replace(self, status=MessageStatus.INTERRUPTED) if is_silent else self

    @property
    def turn(self) -> Turn | None:
        """What a language model is told of it; nothing of an answer that was never begun."""
        return Turn(role=self.role.value, content=self.content) if self.content else None


def question_title(question: str) -> str:
    """A title made of a question: its beginning, up to a word's end."""
    text = " ".join(question.split())
    if len(text) <= _TITLE_CHARACTERS:
        return text or NEW_TITLE
    cut = text[:_TITLE_CHARACTERS].rsplit(" ", 1)[0]
    return f"{cut} …"


def tidy_title(written: str) -> str | None:
    """A title out of what a language model wrote when it was asked for one; None when there is none in it."""
    line = next((line.strip() for line in written.splitlines() if line.strip()), "")
    line = line.removeprefix("Title:").strip(" \t\"'*#`“”«».").replace("\0", "")
    return line[:_TITLE_CHARACTERS].strip() or None
