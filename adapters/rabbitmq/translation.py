"""Turns what aio-pika raises into our errors, in one place."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from aio_pika.exceptions import CONNECTION_EXCEPTIONS, AMQPError, ChannelPreconditionFailed
from aiormq.exceptions import ChannelAccessRefused

from domain.errors import Conflict, Invalid, Refused, Unavailable

OTHER_ARGUMENTS = "inequivalent arg"
"""How the broker says that a queue is there already, and is another. Its consumer timeout has the same number, 406."""


class RabbitUnavailable(Unavailable):
    """The message broker cannot be reached or did not answer in time."""

    code = "queue_unavailable"


class QueueDeclaredOtherwise(Conflict):
    """A queue of that name exists with other arguments; delete it, or set the queue type that it has."""

    code = "queue_declared_otherwise"


class RabbitNotPermitted(Refused):
    """The broker's user lacks a permission."""

    code = "queue_not_permitted"


class RabbitAddressInvalid(Invalid):
    """The broker's address is not one."""

    code = "queue_address_invalid"


@contextmanager
def translating() -> Iterator[None]:
    """Let no exception of aio-pika out: each becomes one of ours with the original as its cause.

    A connection that breaks *cancels* what waits for it. Whoever was not asked to cancel is told of the connection.
    """
    try:
        yield
    except ChannelPreconditionFailed as error:
        if OTHER_ARGUMENTS in str(error):
            raise QueueDeclaredOtherwise(f"{QueueDeclaredOtherwise.__doc__} {_told(error)}") from error
        raise RabbitUnavailable(f"the broker closed the channel: {_told(error)}") from error
    except ChannelAccessRefused as error:
        raise RabbitNotPermitted(f"the broker refused: {_told(error)}") from error
    except TimeoutError as error:
        raise RabbitUnavailable("the broker did not answer in time") from error
    except (AMQPError, *CONNECTION_EXCEPTIONS) as error:
        raise RabbitUnavailable(f"the broker did not answer: {_told(error)}") from error
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise RabbitUnavailable("the connection to the broker broke") from error


def _told(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
