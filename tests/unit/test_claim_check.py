"""Large payloads: kept in storage, referred to in the ledger, whole for every pipeline adapter and reader."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from adapters.memory.ledger import MemoryLedger
from adapters.memory.storage import MemoryObjectStorage
from adapters.memory.unit_of_work import MemoryUnitOfWork
from application.dead_letters import DeadLetters
from application.engine.claim_check import checked_in, checked_out
from application.kept_payloads import KeptPayloads
from application.ports.lineage import LineageQuery
from application.ports.object_storage import ObjectStorage
from application.ports.pipeline_adapter import AdapterResult, Emission, PipelineContext
from domain.claim_check import PAYLOADS, PayloadGone, hash_referred_to, payload_key, reference_to
from domain.dead_letter import DeadLetterFilter
from domain.digest import digest, encode
from domain.errors import Invalid, Unavailable
from domain.execution import Execution
from domain.json import JsonObject
from domain.message import Message
from domain.replay import ReplayRequest, ReplaySource
from domain.storage import StoredObject
from tests.contracts.test_object_storage import kind, storage
from tests.databases import fresh_database
from tests.s3_service import s3_service, s3_storage
from tests.unit.replaying import Shelf, Stores, memory_stores, postgres_stores, shelf

__all__ = ["kind", "s3_service", "s3_storage", "storage"]

LARGE = "é" * 20_000
"""Of more than 64 KiB as JSON in ASCII."""
YAML = """
version: "1.0"
routes:
  spread:
    inbound: {queue: spread}
    adapters: [{type: spread}]
    outbound: {queue: use, condition: {field: kind, operator: equals, value: large}}
  use:
    inbound: {queue: use}
    adapters: [{type: use}]
    outbound: end
  end:
    inbound: {queue: end}
    adapters: [{type: end}]
init_message: {route: spread, payload: {}}
"""


@pytest.fixture(params=["memory", pytest.param("postgres", marks=pytest.mark.slow)])
async def stores(request: pytest.FixtureRequest) -> AsyncIterator[Stores]:
    """Each kind of stores, empty."""
    async with AsyncExitStack() as stack:
        if request.param == "memory":
            yield memory_stores()
            return
        url = request.getfixturevalue("postgres_url")
        yield await postgres_stores(stack, await stack.enter_async_context(fresh_database(url)))


async def spread(context: PipelineContext) -> AdapterResult:
    """One large message as part of a list, and one as part of a stream, by what the init message asks for."""
    large = Emission(payload={"kind": "large", "text": LARGE}, metadata={"title": "T"})
    small = Emission(payload={"kind": "small", "text": LARGE})

    async def streamed() -> AsyncIterator[Emission]:
        yield large
        yield small

    emitted = streamed() if context.message.get("is_streamed") else [large, small]
    return AdapterResult(message={}, emitted=emitted)


async def use(context: PipelineContext) -> AdapterResult:
    return AdapterResult(message=context.message)


async def started(on: Shelf, **payload: object) -> Execution:
    """A run that has come to its end, begun with a payload beside the pipeline's."""
    checked = await on.executions.configs.create(name="large", yaml=YAML)
    begun = await on.executions.start(checked.config.id, init_payload_overrides=payload)  # type: ignore[arg-type]
    return await on.over(begun.id)


async def kept(stores: Stores, execution_id: UUID) -> list[str]:
    return [one.key async for one in stores.storage.list(f"{PAYLOADS}{execution_id}/")]


@pytest.mark.parametrize("is_streamed", [False, True])
async def test_a_large_payload_stays_in_storage_and_is_whole_for_adapters(
    stores: Stores, is_streamed: bool
) -> None:
    """From the first message on; conditions and lineage see it whole, the ledger has a reference."""
    whole: JsonObject = {"kind": "large", "text": LARGE}
    async with shelf(stores, further={"spread": spread, "use": use}) as on:
        ended = await started(on, is_streamed=is_streamed, padding=LARGE)
        assert (ended.counts.done, ended.counts.dead) == (3, 0)
        assert on.ended_with == [(whole, {"title": "T"})]
        page = await stores.history.page(ended.id, "end", stage=None, limit=10)
        entries, _ = await stores.reader.list(LineageQuery(execution_id=ended.id))
    assert [message.payload for message in page.messages] == [reference_to(encode(whole))]
    assert len(await kept(stores, ended.id)) == 3
    hashes = {entry.route_id: (entry.input_hash, entry.output_hash) for entry in entries}
    assert hashes["use"] == hashes["end"] == (digest(whole).hash, digest(whole).hash)


async def test_a_replay_has_the_payload_and_keeps_its_own_copy(stores: Stores) -> None:
    """Whatever becomes of the parent's afterwards."""
    async with shelf(stores, further={"spread": spread, "use": use}) as on:
        parent = await started(on)
        on.ended_with.clear()
        request = ReplayRequest(from_stage="use", source=ReplaySource.LINEAGE, to_route="end")
        again, _ = await on.replays.start(str(parent.id), request)
        await on.over(again.id)
        assert [message["text"] for message, _ in on.ended_with] == [LARGE]
        assert len(await kept(stores, again.id)) == 1


async def test_a_dead_letter_is_shown_whole_redriven_and_purged_with_its_payload(stores: Stores) -> None:
    """A payload that is gone makes its message dead, and says so."""
    is_broken = True

    async def fragile(context: PipelineContext) -> AdapterResult:
        if is_broken:
            raise Invalid("unreadable")
        return AdapterResult(message=context.message)

    async with shelf(stores, further={"spread": spread, "use": fragile}) as on:
        letters = DeadLetters(letters=stores.letters, executions=on.executions, engine=on.engine, limit=10)
        execution = await started(on)
        wanted = DeadLetterFilter(execution_id=execution.id)
        (listed,) = (await letters.list(wanted)).letters
        assert (await letters.get(listed.message.id)).message.payload["text"] == LARGE
        is_broken = False
        await letters.redrive(listed.message.id)
        assert (await on.over(execution.id)).counts.dead == 0
        is_broken = True
        execution = await started(on)
        (listed,) = (await letters.list(DeadLetterFilter(execution_id=execution.id))).letters
        (key,) = await kept(stores, execution.id)
        await stores.storage.delete(key)
        assert (await letters.get(listed.message.id)).message == listed.message
        await letters.redrive(listed.message.id)
        await on.over(execution.id)
        assert (await letters.get(listed.message.id)).error["code"] == "payload_gone"
        execution = await started(on)
        assert len(await kept(stores, execution.id)) == 1
        assert await letters.purge_all(DeadLetterFilter(execution_id=execution.id)) == 1
        assert await kept(stores, execution.id) == []


async def test_a_purge_that_storage_fails_leaves_no_payload_behind(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The letter is purged, whoever asked is told, and the payload is erased when storage is back: by whoever comes."""
    async with shelf(stores, further={"spread": spread, "use": unreadable}) as on:
        letters = DeadLetters(letters=stores.letters, executions=on.executions, engine=on.engine, limit=10)
        ids = []
        for _ in range(2):
            execution = await started(on)
            (listed,) = (await letters.list(DeadLetterFilter(execution_id=execution.id))).letters
            ids.append((execution.id, listed.message.id))
        with monkeypatch.context() as patch:
            patch.setattr(stores.storage, "delete", _away)
            for _, message_id in ids:
                with pytest.raises(Unavailable):
                    await letters.purge(message_id)
        for execution_id, message_id in ids:
            assert (await letters.get(message_id)).purged_at is not None
            assert len(await kept(stores, execution_id)) == 1
        await letters.purge(ids[0][1])
        for execution_id, _ in ids:
            assert await kept(stores, execution_id) == []
        assert await letters.erase_payloads() == 0


async def unreadable(context: PipelineContext) -> AdapterResult:
    """Make every message dead."""
    raise Invalid("unreadable")


async def _away(key: str) -> bool:
    raise Unavailable("storage is away")


async def test_two_attempts_that_disagree_do_not_spoil_each_other(storage: ObjectStorage) -> None:
    """The reference that the ledger took says which payload is meant; to keep one again changes nothing."""
    message = Message(id=uuid4(), execution_id=uuid4(), route_id="a", payload={"text": LARGE})
    first, second, small = await checked_in(
        storage,
        [message, replace(message, payload={"text": LARGE + "!"}), replace(message, payload={"n": 1})],
    )
    assert (await checked_in(storage, [message]))[0] == first
    assert hash_referred_to(first.payload) == digest(message.payload).hash
    assert (await checked_out(storage, first)).payload == message.payload
    assert (await checked_out(storage, second)).payload["text"] == LARGE + "!"
    assert await checked_out(storage, small) == replace(message, payload={"n": 1})
    await storage.delete(payload_key(message.execution_id, message.id, hash_referred_to(first.payload) or ""))
    with pytest.raises(PayloadGone):
        await checked_out(storage, first)


async def test_a_payload_that_somebody_has_changed_is_as_good_as_gone(storage: ObjectStorage) -> None:
    """Its message alone is told so; nothing is processed that was never emitted."""
    message = Message(id=uuid4(), execution_id=uuid4(), route_id="a", payload={"text": LARGE})
    (kept,) = await checked_in(storage, [message])
    key = payload_key(message.execution_id, message.id, hash_referred_to(kept.payload) or "")
    for content in (b"", b"\xff{", b'{"text": "another"}'):
        await storage.write(key, content)
        with pytest.raises(PayloadGone):
            await checked_out(storage, kept)


async def test_payloads_are_forgotten_with_their_executions(storage: ObjectStorage) -> None:
    """Not before they are old, because an execution may be about to begin; and none of those that are known."""
    ledger = MemoryLedger()
    known = Execution(id=uuid4(), config_id=uuid4(), config_snapshot={}, started_at=datetime.now(UTC))
    await ledger.start(known, None)
    keys = [payload_key(one, uuid4(), "h") for one in (known.id, known.id, uuid4(), uuid4(), uuid4())]
    for key in [*keys, f"{PAYLOADS}else/x", "uploads/y"]:
        await storage.write(key, b"{}")
    payloads = KeptPayloads(storage=storage, work=MemoryUnitOfWork(ledger))
    soon = datetime.now(UTC) + timedelta(minutes=1)
    assert await payloads.forget(before=soon - timedelta(minutes=3), limit=10) == 0
    assert await payloads.forget(before=soon, limit=2) == 2
    assert await payloads.forget(before=soon, limit=10) == 1
    assert await payloads.forget(before=soon, limit=10) == 0
    assert {one.key async for one in storage.list()} == {*keys[:2], f"{PAYLOADS}else/x", "uploads/y"}


async def test_forgetting_begins_to_list_anew_only_to_jump_over_a_known_execution() -> None:
    """To begin costs a look at every folder on files; and what was asked of an execution need not be asked again."""
    ledger, storage = MemoryLedger(), CountingStorage()
    known = Execution(id=uuid4(), config_id=uuid4(), config_snapshot={}, started_at=datetime.now(UTC))
    await ledger.start(known, None)
    for execution_id in [known.id, *(uuid4() for _ in range(5))]:
        for _ in range(4):
            await storage.write(payload_key(execution_id, uuid4(), "h"), b"{}")
    payloads = KeptPayloads(storage=storage, work=MemoryUnitOfWork(ledger))
    soon = datetime.now(UTC) + timedelta(minutes=1)
    assert await payloads.forget(before=soon, limit=100) == 20
    assert (storage.begun, storage.closed) == (2, 2)
    assert await payloads.forget(before=soon, limit=100) == 0


class CountingStorage(MemoryObjectStorage):
    """Counts the lists that were begun and those that are over."""

    begun = closed = 0

    async def list(self, prefix: str = "", *, after: str = "") -> AsyncIterator[StoredObject]:
        self.begun += 1
        try:
            async for stored in super().list(prefix, after=after):
                yield stored
        finally:
            self.closed += 1
