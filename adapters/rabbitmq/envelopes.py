"""How an envelope travels: compact JSON."""

from __future__ import annotations

from uuid import UUID

import msgspec

from application.ports.message_queue import Envelope
from domain.errors import Invalid


class EnvelopeUnreadable(Invalid):
    """What lies in the queue is no envelope of ours."""

    code = "envelope_unreadable"


class _Wire(msgspec.Struct, frozen=True):
    message_id: UUID
    execution_id: UUID
    route_id: str


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(_Wire)


def encoded(envelope: Envelope) -> bytes:
    """Some 130 bytes."""
    wire = _Wire(
        message_id=envelope.message_id, execution_id=envelope.execution_id, route_id=envelope.route_id
    )
    return _encoder.encode(wire)


def decoded(body: bytes) -> Envelope:
    """Raises EnvelopeUnreadable; fields that a later version may add are passed over."""
    try:
        wire = _decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise EnvelopeUnreadable(f"{EnvelopeUnreadable.__doc__} ({error})") from error
    return Envelope(message_id=wire.message_id, execution_id=wire.execution_id, route_id=wire.route_id)
