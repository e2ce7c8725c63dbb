"""What documents and segments in memory share: versions, their segments, and which of them are current."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from uuid import UUID

from domain.document import Document, EmbeddedSegment
from domain.retrieval.vector_indexes import IndexKind


@dataclass(slots=True)
class HeldSegment:
    """A segment of one version with its vector in each slot."""

    embedded: EmbeddedSegment
    vectors: dict[str, tuple[float, ...]] = field(default_factory=dict)


@dataclass(slots=True)
class HeldVersion:
    """A document version and the segments of it that are there, by id."""

    document: Document
    segments: dict[UUID, HeldSegment] = field(default_factory=dict)
    is_current: bool = False

    @property
    def is_complete(self) -> bool:
        """Whether every segment that it expects is there."""
        return len(self.segments) >= self.document.segments


@dataclass(slots=True)
class Corpus:
    """All versions of all documents. Nothing here waits, so every method is one step for every task of a loop.

    ``configs`` tells which pipeline config an execution ran, ``indexes`` of what kind and with which parameters the
    index over a slot was built.
    """

    versions: dict[str, dict[int, HeldVersion]] = field(default_factory=dict)
    newest: dict[str, int] = field(default_factory=dict)
    dimensions: dict[str, int] = field(default_factory=dict)
    identities: dict[str, str] = field(default_factory=dict)
    configs: dict[UUID, UUID] = field(default_factory=dict)
    indexes: dict[str, tuple[IndexKind, Mapping[str, int]]] = field(default_factory=dict)

    def open(self, document: Document) -> Document:
        """Open the version after the newest, or the newest again when it is the same."""
        held = self.versions.setdefault(document.document_id, {})
        newest = self.newest.get(document.document_id, 0)
        if (known := held.get(newest)) and _is_same(known, document):
            return known.document
        opened = replace(document, version=newest + 1, indexed_at=None)
        self.newest[document.document_id] = opened.version
        held[opened.version] = HeldVersion(document=opened)
        self.flip(document.document_id, opened.version)
        return held[opened.version].document

    def flip(self, document_id: str, version: int) -> None:
        """Make the version current if it is complete, in place of those before it."""
        held = self.versions[document_id]
        if held[version].is_current or not held[version].is_complete:
            return
        for older in [number for number in held if number < version]:
            del held[older]
        held[version].is_current = True
        held[version].document = replace(held[version].document, indexed_at=datetime.now(UTC))

    def version(self, document_id: str, version: int) -> HeldVersion | None:
        """The version if it is there, open or current."""
        return self.versions.get(document_id, {}).get(version)

    def remove(self, document_id: str) -> bool:
        """Drop every version; the numbers go on from where they were."""
        return bool(self.versions.pop(document_id, None))

    def current(self) -> Iterator[HeldVersion]:
        """The current versions, by document id."""
        for document_id in sorted(self.versions):
            yield from (version for version in self.versions[document_id].values() if version.is_current)

    def segments(self) -> Mapping[UUID, tuple[Document, HeldSegment]]:
        """The segments of current versions."""
        return {
            segment_id: (version.document, segment)
            for version in self.current()
            for segment_id, segment in version.segments.items()
        }


def _is_same(held: HeldVersion, document: Document) -> bool:
    known = held.document
    is_another_run = held.is_current and known.execution_id != document.execution_id
    return not is_another_run and (known.fingerprint, known.segments) == (
        document.fingerprint,
        document.segments,
    )
