"""With which arguments queues are declared."""

from __future__ import annotations

from adapters.rabbitmq.queue_arguments import NO_DELIVERY_LIMIT, listener_arguments, queue_arguments


def test_a_quorum_queue_drops_nothing_however_often_it_was_delivered() -> None:
    """Since RabbitMQ 4.0 the broker would after twenty times, and there is no dead-letter exchange to catch it."""
    arguments = queue_arguments("quorum")
    assert arguments["x-delivery-limit"] == NO_DELIVERY_LIMIT > 10**9
    assert "x-delivery-limit" not in queue_arguments("classic")


def test_queues_of_envelopes_are_neither_bounded_nor_short_of_time() -> None:
    """What a bound or a time to live takes away would be in nobody's queue; a listener's has a bound, and says which end."""
    for arguments in (queue_arguments("classic"), queue_arguments("quorum")):
        assert not arguments.keys() & {"x-max-length", "x-message-ttl", "x-dead-letter-exchange"}
    assert listener_arguments(256) == {"x-max-length": 256, "x-overflow": "drop-head"}
