"""The use-cases of what executions kept and of what is indexed."""

from __future__ import annotations

from application.archives.archive_worker import ArchiveWorker
from application.archives.archiving import Archiving
from application.documents import IndexedDocuments
from application.executions import Executions
from entrypoints.composition.adapters import Adapters


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


def make_indexed_documents(adapters: Adapters) -> IndexedDocuments:
    """The documents in the index."""
    return IndexedDocuments(documents=adapters.documents(), storage=adapters.storage())
