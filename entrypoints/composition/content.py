"""The use-cases of what is kept: by executions, in the index, of configs."""

from __future__ import annotations

from typing import TypedDict

from application.archives.archive_worker import ArchiveWorker
from application.archives.archiving import Archiving
from application.config_check import ConfigCheck
from application.config_versions import ConfigVersions
from application.documents import IndexedDocuments
from application.executions import Executions
from application.templates import TemplateCatalogue
from entrypoints.composition.adapters import Adapters
from entrypoints.composition.shipped_templates import shipped_templates


class Kept(TypedDict):
    """Them, by their names in the table of contents."""

    archiving: Archiving
    indexed_documents: IndexedDocuments
    config_versions: ConfigVersions
    templates: TemplateCatalogue


def make_kept(adapters: Adapters, executions: Executions) -> Kept:
    """All of them, over these adapters."""
    return Kept(
        archiving=make_archiving(adapters, executions),
        indexed_documents=IndexedDocuments(documents=adapters.documents(), storage=adapters.storage()),
        config_versions=make_config_versions(adapters),
        templates=TemplateCatalogue(
            templates=adapters.templates(),
            parser=adapters.parser(),
            configs=executions.configs,
            shipped=shipped_templates(adapters.parser()),
        ),
    )


def make_archiving(adapters: Adapters, executions: Executions) -> Archiving:
    """Archives, their worker not yet at work."""
    archives, storage, clock = adapters.archives(), adapters.storage(), adapters.clock()
    return Archiving(
        archives=archives,
        storage=storage,
        executions=executions,
        clock=clock,
        ids=adapters.ids(),
        worker=ArchiveWorker(archives=archives, storage=storage, clock=clock),
    )


def make_config_versions(adapters: Adapters) -> ConfigVersions:
    """What configs were."""
    check = ConfigCheck(parser=adapters.parser(), registry=adapters.registry())
    return ConfigVersions(work=adapters.work(), check=check, clock=adapters.clock())
