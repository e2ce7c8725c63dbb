"""How many channels a connection has room for; some are kept for what a process cannot do without."""

from __future__ import annotations

import aiormq

from adapters.rabbitmq.translation import RabbitUnavailable

LEFT_BY_CONSUMERS = 16
"""How many channels consumers leave: to listeners, that of the engine's signals among them, and to questions."""

LEFT_BY_LISTENERS = 4


async def channel_if_room(
    connection: aiormq.abc.AbstractConnection, *, leaving: int
) -> aiormq.abc.AbstractChannel:
    """A channel without confirmations; raises RabbitUnavailable when fewer than ``leaving`` would be left.

    A broker answers the one too many by closing the connection with all the others, and aiormq counts none.
    """
    most = connection.connection_tune.channel_max
    if most and len(connection.channels) + 1 + leaving > most:
        raise RabbitUnavailable(
            f"the broker allows {most} channels on a connection (channel_max), and this process needs more: "
            "let fewer executions run at once, or raise it"
        )
    return await connection.channel(publisher_confirms=False)
