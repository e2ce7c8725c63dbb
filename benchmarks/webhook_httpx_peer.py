"""A loop of signed POSTs with httpx, with nothing written down.

Run by the peers' Python, without anything of ours: `webhook_httpx_peer.py URL COUNT IN_FLIGHT BYTES
THRESHOLD…`, where the thresholds are those of the garbage collector. Prints one JSON object.
"""

# What it imports is installed where it runs.
# mypy: disable-error-code="import-not-found"

from __future__ import annotations

import asyncio
import base64
import gc
import hashlib
import hmac
import json
import sys
import time
from importlib.metadata import version
from uuid import uuid4

import httpx

SECRET = b"s" * 32


async def main() -> None:
    url, count, in_flight, size = sys.argv[1], *map(int, sys.argv[2:5])
    collected_after = map(int, sys.argv[5:])
    body = b"x" * size
    left = iter(range(count))

    async with httpx.AsyncClient(limits=httpx.Limits(max_connections=in_flight)) as client:

        async def send() -> None:
            for _ in left:
                identity, now = str(uuid4()), str(int(time.time()))
                signed = b".".join((identity.encode(), now.encode(), body))
                signature = base64.b64encode(hmac.digest(SECRET, signed, hashlib.sha256)).decode()
                headers = {
                    "Content-Type": "application/json",
                    "webhook-id": identity,
                    "webhook-timestamp": now,
                    "webhook-signature": "v1," + signature,
                }
                response = await client.post(url, content=body, headers=headers)
                response.raise_for_status()

        gc.collect()
        gc.freeze()
        gc.set_threshold(*collected_after)
        started = time.perf_counter()
        await asyncio.gather(*(send() for _ in range(in_flight)))
        seconds = time.perf_counter() - started
    print(json.dumps({"seconds": seconds, "version": version("httpx")}))


asyncio.run(main())
