"""`factflow`: the command line of a server's users."""

from __future__ import annotations

import click

from entrypoints.cli import reporting
from entrypoints.cli.commands.adapter import adapter
from entrypoints.cli.commands.archive_download import download
from entrypoints.cli.commands.audit import audit
from entrypoints.cli.commands.chat import chat
from entrypoints.cli.commands.completion import completion
from entrypoints.cli.commands.config import config
from entrypoints.cli.commands.dead_letter import dead_letter
from entrypoints.cli.commands.document import document
from entrypoints.cli.commands.embedding import embedding
from entrypoints.cli.commands.execution import execution
from entrypoints.cli.commands.index import index
from entrypoints.cli.commands.key import key
from entrypoints.cli.commands.lineage import lineage
from entrypoints.cli.commands.pipeline import pipeline
from entrypoints.cli.commands.replay import execution_replay, execution_replays, replay
from entrypoints.cli.commands.replay_batch import replay_batch
from entrypoints.cli.commands.search import search
from entrypoints.cli.commands.storage import storage
from entrypoints.cli.commands.storage_usage import stages, usage
from entrypoints.cli.commands.storage_watch import watch
from entrypoints.cli.commands.system import system
from entrypoints.cli.commands.template import template
from entrypoints.cli.commands.webhook import webhook
from entrypoints.cli.session import Session, global_options
from factflow_server import __version__


def main() -> int:
    """Run the client's command line; returns the exit code."""
    return reporting.run(factflow, "factflow")


@click.group(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="The options above go before a command or after it.",
)
@click.version_option(__version__, message="factflow %(version)s")
@click.pass_context
def factflow(context: click.Context) -> None:
    """Talk to a factflow server: documents in, cited answers out.

    Start with: factflow search "a few words"
    """
    context.ensure_object(Session)


factflow.params += global_options(is_hidden=False)
for _command in (
    search,
    chat,
    config,
    execution,
    replay,
    replay_batch,
    pipeline,
    dead_letter,
    storage,
    document,
    template,
    lineage,
    embedding,
    index,
    adapter,
    webhook,
    key,
    audit,
    system,
    completion,
):
    factflow.add_command(_command)
execution.add_command(execution_replay)
execution.add_command(execution_replays)
storage.add_command(download)
storage.add_command(usage)
storage.add_command(stages)
storage.add_command(watch)
