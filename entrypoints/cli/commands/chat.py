"""`factflow chat`."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import click

from domain.errors import Unavailable
from entrypoints.cli.citations import place_of
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
        print_citations(await _streamed(server, question))
        return
    reply = await server.post("chat", "complete", body={"query": question})
    session.show(reply, lambda: print_answer(reply.value()))


async def _streamed(server: Server, question: str) -> Mapping[str, Any]:
    """Print the text as it comes; returns what the stream said besides."""
    told: dict[str, Any] = {}
    async with server.events("POST", "chat", "stream", body={"query": question}) as events:
        async for event in events:
            if event.event == "text":
                sys.stdout.write(harmless(str(event.value().get("content", ""))))
                sys.stdout.flush()
            elif event.event == "error":
                sys.stdout.write("\n")
                raise stream_error(event.value())
            else:
                told |= event.value()
            if event.event == "done":
                sys.stdout.write("\n")
                return told
    raise AnswerBrokenOff


def print_answer(answer: Mapping[str, Any]) -> None:
    """The text, then what it stands on."""
    click.echo(harmless(str(answer.get("text") or answer.get("answer") or "")))
    print_citations(answer)


def print_citations(answer: Mapping[str, Any]) -> None:
    """A numbered line for each citation, or for each source when the answer cites none."""
    cited = [item for item in answer.get("citations") or [] if isinstance(item, dict)]
    sources = [item for item in answer.get("sources") or [] if isinstance(item, dict)]
    if cited:
        click.echo()
    for line in dict.fromkeys(citation_lines(cited, sources)):
        click.echo(one_line(line))
    if not cited and sources:
        click.echo(f"\nit cites none of the {len(sources)} segments that it was given", err=True)


def citation_lines(cited: Sequence[Mapping[str, Any]], sources: Sequence[Mapping[str, Any]]) -> list[str]:
    """`[1] Title > Heading, characters 120-480`; what a citation does not say itself its source does."""
    by_number = {_number(source, position): source for position, source in enumerate(sources, start=1)}
    numbered = [(_number(item, position), item) for position, item in enumerate(cited, start=1)]
    return [
        f"[{number}] {place_of({**by_number.get(number, {}), **{k: v for k, v in item.items() if v is not None}})}"
        for number, item in numbered
    ]


def _number(item: Mapping[str, Any], position: int) -> object:
    return next(
        (item[name] for name in ("number", "index", "marker") if item.get(name) is not None), position
    )
