"""Reads ``error_handling`` and ``backpressure``, which routes inherit key by key."""

from __future__ import annotations

from collections.abc import Mapping

from domain.backoff import MAX_DELAY_SECONDS
from domain.pipeline import Backpressure, ErrorHandling
from domain.validation.queues import MAX_CONCURRENCY, read_queue
from domain.validation.section import Section

MAX_RETRIES = 100
MAX_DEAD_LETTERS = 1_000_000_000
MAX_LATENCY_MS = 3_600_000.0


def read_error_handling(parent: Section, inherited: ErrorHandling) -> ErrorHandling:
    """The parent's ``error_handling``; what it leaves out is inherited."""
    section = parent.section("error_handling")
    if section is None:
        return inherited
    # How many may be dead is asked of a whole execution, so only the whole config can say it.
    of_the_whole = () if parent.path else ("max_dead_letters",)
    section.only("max_retries", "retry_delay_seconds", "dead_letter_queue", *of_the_whole)
    delay = inherited.retry_delay_seconds
    return ErrorHandling(
        max_retries=section.integer("max_retries", inherited.max_retries, least=0, most=MAX_RETRIES),
        retry_delay_seconds=section.number("retry_delay_seconds", delay, least=0, most=MAX_DELAY_SECONDS),
        dead_letter_queue=read_queue(section, "dead_letter_queue") or inherited.dead_letter_queue,
    )


def read_max_dead_letters(root: Section) -> int | None:
    """The config's own ``error_handling.max_dead_letters``, None when it leaves that to the server."""
    values = root.values.get("error_handling")
    if not isinstance(values, Mapping) or values.get("max_dead_letters") is None:
        return None
    section = Section(values, root.at("error_handling"), root.collected)
    return section.integer("max_dead_letters", 0, least=0, most=MAX_DEAD_LETTERS)


def read_backpressure(parent: Section, inherited: Backpressure | None) -> Backpressure | None:
    """The parent's ``backpressure``; what it leaves out is inherited."""
    section = parent.section("backpressure")
    if section is None:
        return inherited
    section.only("target_latency_ms", "max_concurrency")
    outer = inherited or Backpressure()
    latency = outer.target_latency_ms
    return Backpressure(
        target_latency_ms=section.number("target_latency_ms", latency, least=1, most=MAX_LATENCY_MS),
        max_concurrency=section.integer(
            "max_concurrency", outer.max_concurrency, least=1, most=MAX_CONCURRENCY
        ),
    )
