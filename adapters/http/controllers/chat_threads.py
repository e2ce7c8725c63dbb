"""Threads: conversations that are kept."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from litestar import Controller, Response, delete, get, patch, post
from litestar.di import NamedDependency
from litestar.params import JSONBody, PathParameter, QueryParameter, SkipValidation

from adapters.http.access.principal import RequestPrincipal
from adapters.http.wire.chat_places import id_of, thread_cursor, thread_place
from adapters.http.wire.chat_threads import (
    ThreadBranchRequest,
    ThreadCreateRequest,
    ThreadListResponse,
    ThreadRenameRequest,
    ThreadResponse,
    ThreadSearchResponse,
    thread_list_response,
    thread_response,
    thread_search_response,
)
from adapters.http.wire.pages import Limit
from application.chat_conversations import Conversations
from application.chat_threads import MAX_QUERY_CHARACTERS, Threads
from domain.chat.errors import LanguageModelRefused, LanguageModelUnavailable
from domain.chat.thread import InvalidThread, MessageNotFound, ThreadBusy, ThreadNotFound

UseCase = NamedDependency[SkipValidation[Threads]]
ThreadId = Annotated[UUID, PathParameter(description="The thread's id.")]
Cursor = Annotated[str | None, QueryParameter(description="The `next_cursor` of the page before.")]
IsTransient = Annotated[
    bool, QueryParameter(description="Those in the memory of this process, and not those in the database.")
]


class ThreadsController(Controller):
    path = "/api/v1/chat/threads"
    tags = ("chat",)

    @post(operation_id="create_thread", summary="Open a thread", opt={"errors": (InvalidThread,)})
    async def create(
        self,
        chat_threads: UseCase,
        principal: RequestPrincipal,
        data: JSONBody[ThreadCreateRequest | None] = None,
    ) -> Response[ThreadResponse]:
        """Nobody but who opens it sees it."""
        asked = data or ThreadCreateRequest()
        thread = await chat_threads.create(
            owner=principal.owner, title=asked.title, is_transient=asked.is_transient
        )
        return Response(thread_response(thread), headers={"location": f"{self.path}/{thread.id}"})

    @get(operation_id="list_threads", summary="List threads")
    async def list_all(
        self,
        chat_threads: UseCase,
        principal: RequestPrincipal,
        limit: Limit = 100,
        cursor: Cursor = None,
        is_transient: IsTransient = False,  # noqa: FBT002 (a query parameter)
    ) -> ThreadListResponse:
        """The latest changed first; one that changes meanwhile comes to the front."""
        page, total = await chat_threads.list(
            owner=principal.owner, limit=limit + 1, after=thread_place(cursor), is_transient=is_transient
        )
        shown = page[:limit]
        return thread_list_response(
            shown,
            total=total,
            limit=limit,
            next_cursor=thread_cursor(shown) if len(page) > limit else None,
        )

    @get(
        "/search",
        operation_id="search_threads",
        summary="Search in threads",
        opt={"errors": (InvalidThread,)},
    )
    async def search(
        self,
        chat_threads: UseCase,
        principal: RequestPrincipal,
        text: Annotated[
            str,
            QueryParameter(
                name="query",
                min_length=1,
                max_length=MAX_QUERY_CHARACTERS,
                description="All of its words must stand in a message.",
            ),
        ],
        limit: Limit = 100,
        cursor: Cursor = None,
        is_transient: IsTransient = False,  # noqa: FBT002 (a query parameter)
    ) -> ThreadSearchResponse:
        """Questions and answers with all of the words, in any case, the latest first."""
        found = await chat_threads.find(
            text, owner=principal.owner, limit=limit + 1, after=id_of(cursor), is_transient=is_transient
        )
        shown = found[:limit]
        cursor = str(shown[-1].message.id) if len(found) > limit else None
        return thread_search_response(shown, limit=limit, next_cursor=cursor)

    @get(
        "/{thread_id:uuid}",
        operation_id="get_thread",
        summary="Read a thread",
        opt={"errors": (ThreadNotFound,)},
    )
    async def read(
        self, chat_threads: UseCase, principal: RequestPrincipal, thread_id: ThreadId
    ) -> ThreadResponse:
        """Without its messages."""
        thread, _ = await chat_threads.get(thread_id, owner=principal.owner)
        return thread_response(thread)

    @patch(
        "/{thread_id:uuid}",
        operation_id="rename_thread",
        summary="Rename a thread",
        opt={"errors": (ThreadNotFound, InvalidThread)},
    )
    async def rename(
        self,
        chat_threads: UseCase,
        principal: RequestPrincipal,
        thread_id: ThreadId,
        data: JSONBody[ThreadRenameRequest],
    ) -> ThreadResponse:
        """No generated title replaces it."""
        return thread_response(await chat_threads.rename(thread_id, owner=principal.owner, title=data.title))

    @delete(
        "/{thread_id:uuid}",
        operation_id="delete_thread",
        summary="Delete a thread",
        opt={"errors": (ThreadNotFound,)},
    )
    async def remove(self, chat_threads: UseCase, principal: RequestPrincipal, thread_id: ThreadId) -> None:
        """For good, with its messages; an answer that is being written is given up."""
        await chat_threads.remove(thread_id, owner=principal.owner)

    @post(
        "/{thread_id:uuid}/branch",
        operation_id="branch_thread",
        summary="Branch a thread from a message",
        opt={"errors": (ThreadNotFound, MessageNotFound, ThreadBusy, InvalidThread)},
    )
    async def branch(
        self,
        chat_threads: UseCase,
        principal: RequestPrincipal,
        thread_id: ThreadId,
        data: JSONBody[ThreadBranchRequest],
    ) -> Response[ThreadResponse]:
        """A thread of its own with everything up to an answer, or up to before a question."""
        thread = await chat_threads.branch(
            thread_id, data.message_id, owner=principal.owner, title=data.title
        )
        return Response(thread_response(thread), headers={"location": f"{self.path}/{thread.id}"})

    @post(
        "/{thread_id:uuid}/title",
        status_code=200,
        operation_id="generate_thread_title",
        summary="Have a thread named",
        opt={"errors": (ThreadNotFound, LanguageModelRefused, LanguageModelUnavailable)},
    )
    async def generate_title(
        self,
        conversations: NamedDependency[SkipValidation[Conversations]],
        principal: RequestPrincipal,
        thread_id: ThreadId,
    ) -> ThreadResponse:
        """By the language model from its first question and answer; without one it is called by its question."""
        return thread_response(await conversations.titles.generate(thread_id, owner=principal.owner))
