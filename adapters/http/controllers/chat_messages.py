"""The messages of threads: asking, answers anew, and reading both."""

from __future__ import annotations

from functools import partial
from typing import Annotated
from uuid import UUID

from litestar import Controller, Response, get, post
from litestar.di import NamedDependency
from litestar.params import JSONBody, PathParameter, QueryParameter, SkipValidation

from adapters.http.access.named_objects import permitted
from adapters.http.access.principal import RequestPrincipal
from adapters.http.chat_streams import STREAM, LastEventId, begun, place_in, told
from adapters.http.controllers.chat import ERRORS
from adapters.http.controllers.chat_threads import Cursor, ThreadId
from adapters.http.settings import HttpSettings
from adapters.http.streaming import EventStream, ServerSentEvent
from adapters.http.wire.chat_places import depth_of, id_of
from adapters.http.wire.chat_requests import AnswerSettings, question_request
from adapters.http.wire.chat_threads import (
    MessageListResponse,
    MessageRequest,
    MessageResponse,
    TurnResponse,
    message_list_response,
    message_response,
    turn_event,
)
from adapters.http.wire.pages import Limit
from application.chat_conversations import Asked, Conversations
from domain.chat.errors import AnswerFailed, AnswerInterrupted
from domain.chat.request import ChatRequest
from domain.chat.thread import (
    InvalidThread,
    MessageNotAnAnswer,
    MessageNotFound,
    ThreadBusy,
    ThreadFull,
    ThreadNotFound,
)

UseCase = NamedDependency[SkipValidation[Conversations]]
Http = NamedDependency[SkipValidation[HttpSettings]]
MessageId = Annotated[UUID, PathParameter(description="The message's id.")]
_EXAMPLE = {"content": "How is an answer traced to its sources?"}
_ASKING = {
    "errors": (
        *ERRORS,
        ThreadNotFound,
        MessageNotFound,
        ThreadBusy,
        ThreadFull,
        InvalidThread,
        AnswerInterrupted,
    ),
    "example": _EXAMPLE,
}
_ANEW = {
    "errors": (
        *ERRORS,
        ThreadNotFound,
        MessageNotFound,
        MessageNotAnAnswer,
        ThreadBusy,
        ThreadFull,
        AnswerInterrupted,
    ),
    "example": {"temperature": 0.2},
}


class MessagesController(Controller):
    path = "/api/v1/chat/threads/{thread_id:uuid}/messages"
    tags = ("chat",)

    @post(operation_id="post_message", summary="Ask in a thread", opt=_ASKING)
    async def ask(
        self,
        conversations: UseCase,
        principal: RequestPrincipal,
        thread_id: ThreadId,
        data: JSONBody[MessageRequest],
    ) -> Response[TurnResponse]:
        """Answers when the answer is complete. Whoever goes away before finds it in the thread.

        Naming stored objects needs the scope `storage:read` besides.
        """
        asked = await conversations.ask(
            thread_id,
            permitted(question_request(data.content, data), principal),
            owner=principal.owner,
            parent_id=data.parent_id,
        )
        return await _answered(conversations, asked, principal.owner)

    @post(
        "/stream",
        status_code=200,
        operation_id="stream_message",
        summary="Ask in a thread, and read the answer as a stream",
        opt={**_ASKING, "answer": STREAM},
    )
    async def ask_streaming(
        self,
        conversations: UseCase,
        principal: RequestPrincipal,
        settings: Http,
        thread_id: ThreadId,
        data: JSONBody[MessageRequest],
    ) -> EventStream:
        """First `turn` with the ids of question and answer, then as `POST /api/v1/chat/stream`.

        The answer is written to its end and kept, whoever goes away.
        Naming stored objects needs the scope `storage:read` besides.
        """
        asked = await conversations.ask(
            thread_id,
            permitted(question_request(data.content, data), principal),
            owner=principal.owner,
            parent_id=data.parent_id,
        )
        return await _streamed(asked, settings)

    @get(
        operation_id="list_messages",
        summary="List a thread's messages",
        opt={"errors": (ThreadNotFound, MessageNotFound)},
    )
    async def list_all(
        self,
        conversations: UseCase,
        principal: RequestPrincipal,
        thread_id: ThreadId,
        leaf: Annotated[
            UUID | None,
            QueryParameter(description="The last message of the branch to read; the latest unless given."),
        ] = None,
        all_branches: Annotated[  # noqa: FBT002 (a query parameter)
            bool, QueryParameter(description="Every message, in the order in which they were begun.")
        ] = False,
        limit: Limit = 100,
        cursor: Cursor = None,
    ) -> MessageListResponse:
        """One branch from its first message, or all of them."""
        if all_branches:
            page = await conversations.all_messages(
                thread_id, owner=principal.owner, limit=limit + 1, after=id_of(cursor)
            )
            following = str(page[limit - 1].id) if len(page) > limit else None
        else:
            page = await conversations.messages(
                thread_id, owner=principal.owner, limit=limit + 1, leaf=leaf, from_depth=depth_of(cursor)
            )
            following = str(page[limit].depth) if len(page) > limit else None
        return message_list_response(page[:limit], limit=limit, next_cursor=following)

    @get(
        "/{message_id:uuid}",
        operation_id="get_message",
        summary="Read a message",
        opt={"errors": (ThreadNotFound, MessageNotFound)},
    )
    async def read(
        self, conversations: UseCase, principal: RequestPrincipal, thread_id: ThreadId, message_id: MessageId
    ) -> MessageResponse:
        """As it stands: of an answer that is being written, what there is of it."""
        return message_response(await conversations.message(thread_id, message_id, owner=principal.owner))

    @get(
        "/{message_id:uuid}/stream",
        operation_id="follow_message",
        summary="Read an answer as a stream",
        opt={
            "errors": (ThreadNotFound, MessageNotFound, MessageNotAnAnswer, AnswerFailed, AnswerInterrupted),
            "answer": STREAM,
        },
    )
    async def follow(
        self,
        conversations: UseCase,
        principal: RequestPrincipal,
        settings: Http,
        thread_id: ThreadId,
        message_id: MessageId,
        last_event_id: LastEventId = None,
    ) -> EventStream:
        """While it is written, by whichever process, or again; from the event after `Last-Event-ID` on."""
        place = place_in(message_id, last_event_id)
        answer = await conversations.answer(thread_id, message_id, owner=principal.owner)
        events = conversations.read(thread_id, answer.id, owner=principal.owner, after=place)
        return EventStream(told(message_id, events), heartbeat_seconds=settings.heartbeat_seconds)

    @post(
        "/{message_id:uuid}/regenerate",
        operation_id="regenerate_message",
        summary="Have an answer written anew",
        opt=_ANEW,
    )
    async def regenerate(
        self,
        conversations: UseCase,
        principal: RequestPrincipal,
        thread_id: ThreadId,
        message_id: MessageId,
        data: JSONBody[AnswerSettings | None] = None,
    ) -> Response[TurnResponse]:
        """Beside the one there is, and what is said next follows it; as the question was asked unless said otherwise.

        A question about stored objects needs the scope `storage:read` besides.
        """
        asked = await conversations.regenerate(
            thread_id,
            message_id,
            owner=principal.owner,
            permit=partial(permitted, principal=principal),
            request=_settings(data),
        )
        return await _answered(conversations, asked, principal.owner)

    @post(
        "/{message_id:uuid}/regenerate/stream",
        status_code=200,
        operation_id="regenerate_message_stream",
        summary="Have an answer written anew, and read it as a stream",
        opt={**_ANEW, "answer": STREAM},
    )
    async def regenerate_streaming(
        self,
        conversations: UseCase,
        principal: RequestPrincipal,
        settings: Http,
        thread_id: ThreadId,
        message_id: MessageId,
        data: JSONBody[AnswerSettings | None] = None,
    ) -> EventStream:
        """As `…/regenerate`, with the events of `…/messages/stream`."""
        asked = await conversations.regenerate(
            thread_id,
            message_id,
            owner=principal.owner,
            permit=partial(permitted, principal=principal),
            request=_settings(data),
        )
        return await _streamed(asked, settings)


def _settings(data: AnswerSettings | None) -> ChatRequest | None:
    # The use-case puts the question in.
    return question_request("?", data) if data else None


async def _answered(conversations: Conversations, asked: Asked, owner: str) -> Response[TurnResponse]:
    await asked.run.ended()
    thread_id = asked.answer.thread_id
    answer = await conversations.message(thread_id, asked.answer.id, owner=owner)
    body = TurnResponse(question=message_response(asked.question), answer=message_response(answer))
    location = f"/api/v1/chat/threads/{thread_id}/messages/{answer.id}"
    return Response(body, headers={"location": location})


async def _streamed(asked: Asked, settings: HttpSettings) -> EventStream:
    turn = ServerSentEvent(event="turn", data=turn_event(asked.question, asked.answer))
    return await begun(asked.run.id, asked.run.read(), settings, turn)
