"""The table of contents: everything the service can do."""

from __future__ import annotations

from dataclasses import dataclass

from application.chat import Chat
from application.configs import Configs
from application.executions import Executions
from application.health import SystemHealth
from application.lineage import Lineage
from application.pipeline_adapters import Catalogue
from application.search import Search
from application.stored_objects import StoredObjects


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """The use-cases that entry points and the HTTP API are given."""

    configs: Configs
    executions: Executions
    stored_objects: StoredObjects
    lineage: Lineage
    search: Search
    chat: Chat
    catalogue: Catalogue
    health: SystemHealth
