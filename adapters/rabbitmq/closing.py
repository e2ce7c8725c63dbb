"""Closes a channel once, whoever stops waiting for it."""

from __future__ import annotations

import asyncio

import aiormq


async def close_channel(channel: aiormq.abc.AbstractChannel) -> None:
    """Close it unless it is closed.

    Who is cancelled meanwhile leaves the closing to go on by itself: cut off, aiormq would order it a second time, for
    which a broker closes the connection with all its channels.
    """
    if not channel.is_closed:
        await asyncio.shield(channel.close())
