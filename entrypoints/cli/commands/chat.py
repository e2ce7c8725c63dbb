"""`factflow chat`."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import click

from domain.errors import Unavailable
from entrypoints.cli.citations import citation_lines
from entrypoints.cli.client import Server
from entrypoints.cli.problems import stream_error
from entrypoints.cli.session import ClientCommand, Session, asks_server
from entrypoints.cli.streams import harmless, one_line

ANSWER_SECONDS = 300.0


class AnswerBrokenOff(Unavailable):
    """The answer broke off before its end."""

    code = "answer_broken_off"


@click.command(cls=ClientCommand)
@click.argument("words", nargs=-1, required=True, metavar="QUESTION")
@click.option(
    "--stream/--no-stream", default=None, help="Print the answer as it is written. [default: on a terminal]"
)
@asks_server
async def chat(server: Server, session: Session, words: tuple[str, ...], stream: bool | None) -> None:  # noqa: FBT001
    """Answer QUESTION from the documents, with numbered citations."""
    question = " ".join(words).strip()
    if not question:
        raise click.UsageError("the question is empty")
    server.timeout_seconds = session.seconds(ANSWER_SECONDS)
    wants_stream = sys.stdout.isatty() if stream is None else stream
    if wants_stream and not session.wants_json:
        import asyncio

        try:
            async with asyncio.timeout(server.timeout_seconds):
                end = await _streamed(server, question)
        except TimeoutError as error:
            raise AnswerBrokenOff(
                f"the answer took longer than {server.timeout_seconds:g} seconds"
            ) from error
        print_citations(end)
        return
    reply = await server.post("chat", "complete", body={"query": question})
    session.show(reply, lambda: print_answer(reply.value()))


async def _streamed(server: Server, question: str) -> Mapping[str, Any]:
    """Print the text as it comes; returns what the stream says at its end."""
    async with server.events("POST", "chat", "stream", body={"query": question}) as events:
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
    if answer.get("is_answered") and not cited:
        click.echo("\nno source is cited: nothing in the documents backs this", err=True)
