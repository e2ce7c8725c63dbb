"""`factflow search`."""

from __future__ import annotations

from typing import Any

import click

from entrypoints.cli.citations import place_of
from entrypoints.cli.client import Server
from entrypoints.cli.session import ClientCommand, Session, asks_server
from entrypoints.cli.streams import harmless, one_line
from entrypoints.cli.tables import in_words, passage

PATHS = {
    "semantic": ("search",),
    "keyword": ("search", "keyword"),
    "hybrid": ("search", "hybrid"),
    "rrf": ("search", "rrf"),
    "multi-model": ("search", "multi-model"),
}


@click.command(cls=ClientCommand)
@click.argument("words", nargs=-1, required=True, metavar="[semantic|keyword|hybrid|rrf|multi-model] QUERY")
@click.option("--mode", type=click.Choice(list(PATHS)), help="How to search. [default: hybrid]")
@click.option(
    "--limit", type=click.IntRange(1, 1000), default=10, show_default=True, help="How many matches at most."
)
@click.option("--slot", help="The embedding slot to search; the server's own unless given.")
@click.option("--models", help="multi-model: the slots to search, by commas; all unless given.")
@click.option("--rerank", is_flag=True, help="Have the reranker order the best anew.")
@asks_server
async def search(
    server: Server, session: Session, /, *, words: tuple[str, ...], mode: str | None, **wanted: Any
) -> None:
    """Find the segments that fit QUERY best.

    By meaning (semantic), by words (keyword), by both (hybrid, rrf), or in several slots (multi-model).
    A query that begins with one of these words goes into quotes, or after --mode.
    """
    mode, query = mode_and_query(words, mode)
    reply = await server.post(*PATHS[mode], body={"query": query, **_body(mode, **wanted)})
    session.show(reply, lambda: print_matches(reply.items("results")))


def _body(mode: str, *, limit: int, slot: str | None, models: str | None, rerank: bool) -> dict[str, Any]:
    if slot is not None and mode in {"keyword", "multi-model"}:
        raise click.UsageError(f"--slot is not for {mode}")
    if models is not None and mode != "multi-model":
        raise click.UsageError("--models is for multi-model")
    named = None if models is None else [name.strip() for name in models.split(",") if name.strip()]
    given = {"limit": limit, "model_name": slot, "models": named, "rerank": rerank or None}
    return {name: value for name, value in given.items() if value is not None}


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
