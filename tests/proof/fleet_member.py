"""A server or a worker as `python -m factflow_server` starts it, with the pipeline adapters of the proof.

Run as a program, with the same arguments. ``PROOF`` in the environment has the options of ``service.py``, as JSON.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import msgspec
from dependency_injector import providers

from entrypoints import serve, worker
from entrypoints.cli.server import main
from entrypoints.composition.adapters import ServerAdapters
from entrypoints.settings import Settings
from tests.proof.service import Options, Words, registry


def with_adapters_of_the_proof(options: Options) -> None:
    """Let both commands compose what they would, but for the model and the pipeline adapters."""

    def composed(*, settings: Settings) -> ServerAdapters:
        adapters = ServerAdapters(settings=settings)
        adapters.model.override(providers.Singleton(Words))
        adapters.registry.override(providers.Object(registry(options)))
        return adapters

    for module in (serve, worker):
        vars(module)["ServerAdapters"] = composed


if __name__ == "__main__":
    with_adapters_of_the_proof(msgspec.json.decode(os.environ["PROOF"], type=Options))
    sys.exit(main())
