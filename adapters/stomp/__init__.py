"""STOMP 1.2, the protocol of ActiveMQ and Artemis: enough of it to try a broker."""
