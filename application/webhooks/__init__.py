"""Webhooks: subscriptions, what became of deliveries, and the worker that sends them."""
