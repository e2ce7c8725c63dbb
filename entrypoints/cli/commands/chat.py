"""`factflow chat`: questions, alone or in a thread."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import click

from domain.errors import Unavailable
from entrypoints.cli.citations import citation_lines
from entrypoints.cli.client import Server
from entrypoints.cli.commands.chat_thread import thread
from entrypoints.cli.problems import stream_error
from entrypoints.cli.session import ClientGroup, Session, asks_server
from entrypoints.cli.streams import harmless, one_line

ANSWER_SECONDS = 300.0


class AnswerBrokenOff(Unavailable):
    """The answer broke off before its end."""

    code = "answer_broken_off"


class ChatGroup(ClientGroup):
    """`factflow chat QUESTION` asks; only `thread` with one of its commands is something else."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put `ask` before a question."""
        if args and args[0] not in {"--help", "-h", "ask"} and not _names_a_thread_command(args):
            args = ["ask", *args]
        return super().parse_args(ctx, args)


def _names_a_thread_command(args: list[str]) -> bool:
    known = {*thread.commands, "--help", "-h"}
    places = [at for at, word in enumerate(args[:-1]) if word == "thread" and args[at + 1] in known]
    return args == ["thread"] or any(at == 0 or args[0].startswith("-") for at in places)


@click.group(cls=ChatGroup)
def chat() -> None:
    """Answer a question from the documents: `factflow chat QUESTION`, as `factflow chat ask QUESTION`."""


chat.add_command(thread)


@chat.command()
@click.argument("words", nargs=-1, required=True, metavar="QUESTION")
@click.option(
    "--stream/--no-stream", default=None, help="Print the answer as it is written. [default: on a terminal]"
)
@click.option(
    "--thread",
    "thread_id",
    metavar="THREAD",
    help="Ask in this thread, after what was said in it; `new` opens one.",
)
@click.option("--prompt-template", metavar="TEMPLATE", help="Have the prompt written from this template.")
@asks_server
async def ask(
    server: Server,
    session: Session,
    /,
    *,
    words: tuple[str, ...],
    stream: bool | None,
    thread_id: str | None,
    prompt_template: str | None,
) -> None:
    """Answer QUESTION from the documents, with numbered citations."""
    question = " ".join(words).strip()
    if not question:
        raise click.UsageError("the question is empty")
    server.timeout_seconds = session.seconds(ANSWER_SECONDS)
    path, body = await _place_to_ask(server, question, thread_id)
    if prompt_template is not None:
        body["prompt_template"] = prompt_template
    wants_stream = sys.stdout.isatty() if stream is None else stream
    if not wants_stream or session.is_for_programs:
        whole = path if thread_id else ("chat", "complete")
        reply = await server.post(*whole, body=body)
        session.show(reply, lambda: print_answer(_answer_in(reply.value())))
        return
    import asyncio

    try:
        async with asyncio.timeout(server.timeout_seconds):
            end = await _streamed(server, (*path, "stream"), body)
    except TimeoutError as error:
        raise AnswerBrokenOff(f"the answer took longer than {server.timeout_seconds:g} seconds") from error
    print_citations(end)


async def _place_to_ask(
    server: Server, question: str, thread_id: str | None
) -> tuple[tuple[str, ...], dict[str, str]]:
    if thread_id is None:
        return ("chat",), {"query": question}
    if thread_id == "new":
        opened = await server.post("chat", "threads", body={})
        thread_id = str(opened.value().get("id"))
        click.echo(f"thread {thread_id}", err=True)
    return ("chat", "threads", thread_id, "messages"), {"content": question}


def _answer_in(reply: Mapping[str, Any]) -> Mapping[str, Any]:
    """The answer itself, which in a thread stands in a message."""
    message = reply.get("answer")
    answer = message.get("answer") if isinstance(message, dict) else reply
    return answer if isinstance(answer, dict) else {}


async def _streamed(server: Server, path: tuple[str, ...], body: Mapping[str, str]) -> Mapping[str, Any]:
    """Print the text as it comes; returns what the stream says at its end."""
    async with server.events("POST", *path, body=body) as events:
        async for event in events:
            if event.event == "text":
                sys.stdout.write(harmless(str(event.value().get("content", ""))))
                sys.stdout.flush()
            elif event.event == "error":
                sys.stdout.write("\n")
                raise stream_error(event.value())
            elif event.event == "done":
                sys.stdout.write("\n")
                return event.value()
    raise AnswerBrokenOff


def print_answer(answer: Mapping[str, Any]) -> None:
    """The text, then what it stands on."""
    click.echo(harmless(str(answer.get("text") or "")))
    print_citations(answer)


def print_citations(answer: Mapping[str, Any]) -> None:
    """A numbered line for each source that is cited; on standard error what one should know besides."""
    cited = [item for item in answer.get("citations") or [] if isinstance(item, dict)]
    if cited:
        click.echo()
    for line in citation_lines(cited):
        click.echo(one_line(line))
    if answer.get("finish_reason") in {"length", "content_filter"}:
        click.echo(
            f"\nthe answer is cut off: its language model stopped at {answer['finish_reason']}", err=True
        )
    if answer.get("is_answered") and not cited:
        click.echo("\nno source is cited: nothing in the documents backs this", err=True)
