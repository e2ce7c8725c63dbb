"""Threads and their messages on the wire."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from msgspec import Meta, Struct

from adapters.http.wire.chat_answers import ChatCompletionResponse, completion_response
from adapters.http.wire.chat_requests import AnswerSettings
from application.ports.chat_threads import FoundMessage
from domain.chat.request import MAX_QUERY_CHARACTERS
from domain.chat.thread import MAX_TITLE_CHARACTERS, Message, Thread

Title = Annotated[str, Meta(min_length=1, max_length=MAX_TITLE_CHARACTERS, examples=["Lift of wings"])]
Content = Annotated[
    str, Meta(min_length=1, max_length=MAX_QUERY_CHARACTERS, examples=["How is an answer traced?"])
]
EXCERPT_CHARACTERS = 300


class ThreadCreateRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A new thread. Without a title it is called by its first question; a transient one is kept in memory only."""

    title: Title | None = None
    is_transient: bool = False


class ThreadRenameRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A thread's new title."""

    title: Title


class ThreadBranchRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where to branch: after an answer, or before a question."""

    message_id: UUID
    title: Title | None = None


class MessageRequest(AnswerSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A question in a thread; what was said in it before is its history.

    `parent_id` is the answer that it follows, the latest unless given. What an answer may rest on is said as for
    `POST /api/v1/chat/complete`.
    """

    content: Content
    parent_id: UUID | None = None


class ThreadResponse(Struct, frozen=True, kw_only=True):
    """A thread. `head_id` is the message that what is said next follows; `message_count` counts all branches.

    `title_origin` is `none`, `question`, `generated` or `given`; `branched_from` the message it was branched from.
    """

    id: UUID
    title: str
    title_origin: str
    is_transient: bool
    head_id: UUID | None
    message_count: int
    branched_from_thread_id: UUID | None
    branched_from_message_id: UUID | None
    created_at: datetime
    updated_at: datetime


class ThreadListResponse(Struct, frozen=True, kw_only=True):
    """A page of threads, the latest changed first."""

    threads: list[ThreadResponse]
    total: int
    limit: int
    offset: int
    has_more: bool
    next_cursor: str | None


class MessageError(Struct, frozen=True, kw_only=True):
    """What an answer failed at."""

    code: str
    message: str


class MessageResponse(Struct, frozen=True, kw_only=True):
    """A message. `status` is `writing`, `complete`, `failed` or `interrupted`; `answer` what an answer rests on."""

    id: UUID
    thread_id: UUID
    parent_id: UUID | None
    depth: int
    role: str
    content: str
    status: str
    answer: ChatCompletionResponse | None
    error: MessageError | None
    created_at: datetime
    updated_at: datetime


class MessageListResponse(Struct, frozen=True, kw_only=True):
    """A page of a thread's messages, in reading order."""

    messages: list[MessageResponse]
    limit: int
    has_more: bool
    next_cursor: str | None


class TurnResponse(Struct, frozen=True, kw_only=True):
    """A question and its answer."""

    question: MessageResponse
    answer: MessageResponse


class FoundMessageResponse(Struct, frozen=True, kw_only=True):
    """A message that was found, with the beginning of its text."""

    thread_id: UUID
    title: str
    message_id: UUID
    role: str
    excerpt: str
    created_at: datetime


class ThreadSearchResponse(Struct, frozen=True, kw_only=True):
    """A page of found messages, the latest first."""

    results: list[FoundMessageResponse]
    limit: int
    has_more: bool
    next_cursor: str | None


def thread_response(thread: Thread) -> ThreadResponse:
    """A thread as it travels."""
    origin_thread, origin_message = thread.origin or (None, None)
    return ThreadResponse(
        id=thread.id,
        title=thread.title,
        title_origin=thread.title_origin.value,
        is_transient=thread.is_transient,
        head_id=thread.head_id,
        message_count=thread.messages,
        branched_from_thread_id=origin_thread,
        branched_from_message_id=origin_message,
        created_at=thread.created_at,
        updated_at=thread.updated_at,
    )


def message_response(message: Message) -> MessageResponse:
    """A message as it travels."""
    return MessageResponse(
        id=message.id,
        thread_id=message.thread_id,
        parent_id=message.parent_id,
        depth=message.depth,
        role=message.role.value,
        content=message.content,
        status=message.status.value,
        answer=completion_response(message.answer) if message.answer else None,
        error=_error(message),
        created_at=message.created_at,
        updated_at=message.updated_at,
    )


def _error(message: Message) -> MessageError | None:
    if message.error is None:
        return None
    return MessageError(code=message.error.get("code", ""), message=message.error.get("message", ""))


def thread_list_response(
    threads: Sequence[Thread], *, total: int, limit: int, next_cursor: str | None
) -> ThreadListResponse:
    """A page of threads as it travels."""
    return ThreadListResponse(
        threads=[thread_response(thread) for thread in threads],
        total=total,
        limit=limit,
        offset=0,
        has_more=next_cursor is not None,
        next_cursor=next_cursor,
    )


def message_list_response(
    messages: Sequence[Message], *, limit: int, next_cursor: str | None
) -> MessageListResponse:
    """A page of messages as it travels."""
    return MessageListResponse(
        messages=[message_response(message) for message in messages],
        limit=limit,
        has_more=next_cursor is not None,
        next_cursor=next_cursor,
    )


def thread_search_response(
    found: Sequence[FoundMessage], *, limit: int, next_cursor: str | None
) -> ThreadSearchResponse:
    """A page of found messages as it travels."""
    return ThreadSearchResponse(
        results=[
            FoundMessageResponse(
                thread_id=one.message.thread_id,
                title=one.title,
                message_id=one.message.id,
                role=one.message.role.value,
                excerpt=one.message.content[:EXCERPT_CHARACTERS],
                created_at=one.message.created_at,
            )
            for one in found
        ],
        limit=limit,
        has_more=next_cursor is not None,
        next_cursor=next_cursor,
    )


def turn_event(question: Message, answer: Message) -> dict[str, Any]:
    """The data of the event `turn`: where in the thread the answer that follows will stand."""
    return {"thread_id": answer.thread_id, "question_id": question.id, "answer_id": answer.id}
