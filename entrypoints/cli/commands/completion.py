"""`factflow completion`: what a shell needs to complete commands and options."""

from __future__ import annotations

import click

from entrypoints.cli.session import ClientCommand


@click.command(cls=ClientCommand)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print a script that lets SHELL complete commands and options, to be read at its start.

    bash: eval "$(factflow completion bash)" in ~/.bashrc
    """
    from click.shell_completion import get_completion_class

    root = context.find_root()
    kind = get_completion_class(shell)
    if kind is not None:
        click.echo(kind(root.command, {}, "factflow", "_FACTFLOW_COMPLETE").source())
