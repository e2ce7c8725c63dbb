"""Requests to addresses that others have given, with aiohttp, kept from going where they may not."""
