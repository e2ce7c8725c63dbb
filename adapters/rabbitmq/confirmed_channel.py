"""A channel for publishing only: many messages in one write, and their confirmations counted rather than awaited.

What aiormq does for each message (a task, three futures, two context managers, four objects turned into bytes) costs
150 microseconds, several times what the broker needs. So the frames are written here, into aiormq's own queue of
frames, and its table of confirmations is given counters instead of futures.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Iterable, Sequence
from secrets import token_hex
from typing import cast

import aiormq
import pamqp.frame
from aio_pika.exceptions import ChannelInvalidStateError, PublishError
from aiormq.abc import ChannelFrame
from pamqp.commands import Basic

IN_FLIGHT = 200
"""How many messages may be unconfirmed at a time. One by one is a quarter as fast."""

PERSISTENT = 2

_HEADER = struct.Struct(">BHIHHQHBB")
_FRAME = struct.Struct(">BHI")
_END = b"\xce"
_HEADER_FRAME, _BODY_FRAME, _BASIC = 2, 3, 60
_DELIVERY_MODE_AND_MESSAGE_ID = 1 << 12 | 1 << 7


def content(channel: int, message_id: bytes, body: bytes, largest: int) -> bytes:
    """The frames of a persistent message: a header and, in pieces of at most ``largest`` bytes, the body."""
    header = _HEADER.pack(
        _HEADER_FRAME,
        channel,
        16 + len(message_id),
        _BASIC,
        0,
        len(body),
        _DELIVERY_MODE_AND_MESSAGE_ID,
        PERSISTENT,
        len(message_id),
    )
    frames = [header, message_id, _END]
    for start in range(0, len(body), largest):
        piece = body[start : start + largest]
        frames += (_FRAME.pack(_BODY_FRAME, channel, len(piece)), piece, _END)
    return b"".join(frames)


class ConfirmedChannel:
    """Publishes to queues over a channel with confirmations on which nobody else publishes."""

    def __init__(self, channel: aiormq.Channel) -> None:
        self.channel = channel
        self._confirmations = cast("dict[int, object]", channel.confirmations)
        self._prefix = token_hex(4)
        self._next_tag = 1
        self._in_flight = 0
        self._room = asyncio.Event()
        channel.closing.add_done_callback(self._closed)

    async def publish(self, queue: str, bodies: Sequence[bytes]) -> Sequence[bytes]:
        """Publish in order and await the confirmations; returns what came back because there is no such queue."""
        group = _Group(len(bodies))
        method = pamqp.frame.marshal(Basic.Publish(routing_key=queue, mandatory=True), self.channel.number)
        sent = 0
        while sent < len(bodies):
            async with self.channel.lock:
                room = IN_FLIGHT - self._in_flight
                if room > 0:
                    await self._send(group, method, bodies[sent : sent + room])
                    sent += room
                    continue
                self._room.clear()
            await self._room.wait()
        await group.confirmed
        return group.returned

    async def _send(self, group: _Group, method: bytes, bodies: Sequence[bytes]) -> None:
        largest, number = self.channel.max_content_size, self.channel.number
        awaited = [
            _Awaited(self, group, body, tag, self._prefix) for tag, body in enumerate(bodies, self._next_tag)
        ]
        self._next_tag += len(awaited)
        for one in awaited:
            self._confirmations[one.tag] = one
            # A returned message names its id and not its tag, so each publish has an id of its own.
            self.channel.message_id_delivery_tag[one.message_id] = one.tag
        self._in_flight += len(awaited)
        payload = b"".join(
            method + content(number, one.message_id.encode(), one.body, largest) for one in awaited
        )
        try:
            await self.channel.write_queue.put(ChannelFrame(payload=payload, should_close=False))
        except BaseException:
            # The broker has not seen these, and would count the next ones from here.
            self._next_tag = awaited[0].tag
            self._forget(awaited)
            raise

    def settled(self, awaited: _Awaited) -> None:
        """Free the place of one that is confirmed, refused or returned."""
        self.channel.message_id_delivery_tag.pop(awaited.message_id, None)
        self._in_flight -= 1
        self._room.set()

    def _forget(self, awaited: Iterable[_Awaited]) -> None:
        for one in awaited:
            self._confirmations.pop(one.tag, None)
            self.settled(one)

    def _closed(self, closing: asyncio.Future[object]) -> None:
        cause = None if closing.cancelled() else closing.exception()
        for one in list(self._confirmations.values()):
            if isinstance(one, _Awaited):
                one.group.fail(ChannelInvalidStateError(f"the channel was closed: {cause}"))
        # Whoever waits for room finds the channel closed.
        self._room.set()


class _Group:
    """What one call publishes: ``confirmed`` when all of it has been answered."""

    __slots__ = ("_left", "confirmed", "returned")

    def __init__(self, size: int) -> None:
        self._left = size
        self.returned: list[bytes] = []
        self.confirmed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        # A caller that gave up does not ask any more.
        self.confirmed.add_done_callback(lambda done: done.cancelled() or done.exception())

    def count_down(self) -> None:
        self._left -= 1
        if not self._left and not self.confirmed.done():
            self.confirmed.set_result(None)

    def fail(self, error: BaseException) -> None:
        if not self.confirmed.done():
            self.confirmed.set_exception(error)


class _Awaited:
    """One unconfirmed message, as much of a future as aiormq asks of it."""

    __slots__ = ("_channel", "_is_done", "body", "group", "message_id", "tag")

    def __init__(self, channel: ConfirmedChannel, group: _Group, body: bytes, tag: int, prefix: str) -> None:
        self._channel = channel
        self._is_done = False
        self.group = group
        self.body = body
        self.tag = tag
        self.message_id = f"{prefix}-{tag:x}"

    def done(self) -> bool:
        return self._is_done

    def cancelled(self) -> bool:
        return False

    def set_result(self, _: object) -> None:
        self._is_done = True
        self._channel.settled(self)
        self.group.count_down()

    def set_exception(self, error: BaseException) -> None:
        self._is_done = True
        self._channel.settled(self)
        if isinstance(error, PublishError):
            self.group.returned.append(self.body)
            self.group.count_down()
        else:
            self.group.fail(error)
