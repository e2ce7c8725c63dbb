"""Webhooks: who is told of which events, how it is signed, and what becomes of a delivery."""
