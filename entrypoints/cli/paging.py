"""Lists that come in pages."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from entrypoints.cli.client import Reply
from entrypoints.cli.tables import Column, print_table

limit_option = click.option(
    "--limit", type=click.IntRange(1, 1000), default=100, show_default=True, help="How many to list at most."
)
offset_option = click.option(
    "--offset", type=click.IntRange(0), default=0, show_default=True, help="How many to pass over."
)


def print_page(columns: Sequence[Column], reply: Reply, name: str, *, empty: str) -> None:
    """Print a list, and say on standard error when there is more of it."""
    rows = reply.items(name)
    print_table(columns, rows, empty=empty)
    page = reply.value()
    if page.get("has_more"):
        following = int(page.get("offset") or 0) + len(rows)
        sys.stdout.flush()
        sys.stderr.write(f"{len(rows)} of {page.get('total')}; --offset {following} shows what follows\n")
