"""The use-cases about pipeline adapters: which there are, and what helps to write their configs."""

from __future__ import annotations

from typing import TypedDict

from application.adapter_configs import AdapterConfigs
from application.config_check import ConfigCheck
from application.pipeline_adapters import Catalogue
from entrypoints.composition.adapters import Adapters


class Catalogued(TypedDict):
    """Them, by their names in the table of contents."""

    catalogue: Catalogue
    adapter_configs: AdapterConfigs


def make_catalogued(adapters: Adapters) -> Catalogued:
    """Both, over one catalogue."""
    catalogue = Catalogue(adapters=adapters.catalogue())
    check = ConfigCheck(parser=adapters.parser(), registry=adapters.registry())
    return Catalogued(catalogue=catalogue, adapter_configs=AdapterConfigs(catalogue=catalogue, check=check))
