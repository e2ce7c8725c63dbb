"""Validation without a server: the parser and the pipeline adapters of this installation, nothing opened."""

from __future__ import annotations

from application.config_check import ConfigCheck
from entrypoints.composition.adapters import EmbeddedAdapters
from entrypoints.settings import Settings


def config_check() -> ConfigCheck:
    """What `factflow config validate` checks with."""
    adapters = EmbeddedAdapters(settings=Settings())
    return ConfigCheck(parser=adapters.parser(), registry=adapters.registry())
