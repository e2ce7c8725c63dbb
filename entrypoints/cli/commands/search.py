"""`factflow search`."""

from __future__ import annotations

from typing import Any

import click

from entrypoints.cli.citations import place_of
from entrypoints.cli.client import Server
from entrypoints.cli.session import ClientCommand, Session, asks_server
from entrypoints.cli.streams import harmless, one_line
from entrypoints.cli.tables import in_words, passage

PATHS = {"semantic": ("search",), "keyword": ("search", "keyword"), "hybrid": ("search", "hybrid")}


@click.command(cls=ClientCommand)
@click.argument("words", nargs=-1, required=True, metavar="[semantic|keyword|hybrid] QUERY")
@click.option("--mode", type=click.Choice(list(PATHS)), help="How to search. [default: hybrid]")
@click.option(
    "--limit", type=click.IntRange(1, 1000), default=10, show_default=True, help="How many matches at most."
)
@asks_server
async def search(
    server: Server, session: Session, words: tuple[str, ...], mode: str | None, limit: int
) -> None:
    """Find the segments that fit QUERY best.

    By meaning (semantic), by words (keyword), or by both (hybrid).
    A query that begins with one of these three words goes into quotes, or after --mode.
    """
    mode, query = mode_and_query(words, mode)
    reply = await server.post(*PATHS[mode], body={"query": query, "limit": limit})
    session.show(reply, lambda: print_matches(reply.items("results")))


def mode_and_query(words: tuple[str, ...], mode: str | None) -> tuple[str, str]:
    """Which search is meant: `semantic "a query"`, or a query alone."""
    if mode is None and len(words) > 1 and words[0] in PATHS:
        mode, words = words[0], words[1:]
    query = " ".join(words).strip()
    if not query:
        raise click.UsageError("the query is empty")
    return mode or "hybrid", query


def print_matches(matches: list[dict[str, Any]]) -> None:
    """A few lines a match: its score, where it is from, and how it begins."""
    if not matches:
        click.echo("nothing was found", err=True)
        return
    for number, match in enumerate(matches, start=1):
        score = match.get("score")
        click.echo(f"{number:>2}. {in_words(score):<6} {one_line(place_of(match))}")
        click.echo(passage(harmless(str(match.get("text") or "")), indent=4))
