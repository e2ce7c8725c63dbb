"""Webhooks of a server as anybody starts it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote
from urllib.request import Request, urlopen

import pytest
from standardwebhooks.webhooks import Webhook

from tests.integration.served import Served, serving
from tests.webhook_receiver import running_receiver

pytestmark = pytest.mark.slow
ALLOWED = {"FACTFLOW_WEBHOOK_ALLOW_HTTP": "1", "FACTFLOW_WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8"}


def until(is_so: Callable[[], bool], what: str) -> None:
    """Wait for it."""
    end = time.monotonic() + 30
    while not is_so():
        assert time.monotonic() < end, what
        time.sleep(0.05)


def stored(served: Served) -> set[str]:
    """The keys of all stored objects."""
    return {one["key"] for one in served.get("/storage/objects?limit=1000")["objects"]}


def put(served: Served, key: str) -> None:
    """Upload something."""
    url = f"{served.url}/api/v1/storage/objects/{key}"
    with urlopen(Request(url, data=b"some text", method="PUT"), timeout=10) as answer:
        assert answer.status == 201


def ran(served: Served, docs: Path) -> str:
    """The id of a new execution of the shipped pipeline."""
    config = next(
        one for one in served.get("/configs")["configs"] if one["source_path"] == "pipelines/documents.yaml"
    )
    body = {"init_payload_overrides": {"folder": str(docs)}}
    return str(served.post(f"/configs/{config['id']}/run", body)["id"])


def test_a_server_tells_of_its_executions_over_a_kill_too(tmp_path: Path) -> None:
    """With the key that it keeps in its data folder, for nobody but its owner to read."""
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "a.md").write_text("# One\n\nA few words.\n")
    data = tmp_path / "data"
    with running_receiver() as receiver:

        def told(execution: str) -> list[dict[str, Any]]:
            bodies = [
                Webhook(made["secret"]).verify(one["body"], one["headers"]) for one in receiver.received()
            ]
            return [
                body
                for body in bodies
                if body["data"]["execution_id"] == execution and body["type"].startswith("execution.")
            ]

        def keys() -> list[str]:
            bodies = [json.loads(one["body"]) for one in receiver.received()]
            return [body["data"]["key"] for body in bodies if body["type"] == "storage.object_created"]

        with serving(data, docs, tmp_path / "log", **ALLOWED) as served:
            served.wait_until_greeted()
            types = ["execution.started", "execution.completed"]
            made = served.post("/webhooks", {"url": receiver.url("200"), "event_types": types})
            already_there = stored(served)
            other = {"event_types": ["storage.object_created"], "secret": made["secret"]}
            served.post("/webhooks", {"url": receiver.url("200"), **other})
            execution = ran(served, docs)
            until(lambda: len(told(execution)) == 2, "the first execution is not told of")
            assert [one["type"] for one in told(execution)] == types
            put(served, "uploads/a.txt")
            served.kill()
        assert (data / "webhook.key").stat().st_mode & 0o077 == 0
        with serving(data, docs, tmp_path / "log", **ALLOWED) as served:
            served.wait_until_greeted()
            execution = ran(served, docs)
            until(lambda: len(told(execution)) == 2, "the second execution is not told of")
            counts = told(execution)[1]["data"]["counts"]
            assert counts["outstanding"] == 0
            created = stored(served) - already_there
            until(lambda: set(keys()) == created, "not all objects are told of")
            assert "uploads/a.txt" in created
            began = told(execution)[0]["data"]["started_at"]

            # What arrives is written down a moment later, and what the killed server had claimed later still.
            def states(since: str = "") -> set[str]:
                return {one["state"] for one in served.get(f"/webhooks/deliveries{since}")["deliveries"]}

            until(
                lambda: states(f"?since={quote(began)}") == {"delivered"},
                "not all is written down as delivered",
            )
            assert states() <= {"delivered", "pending"}
            assert served.stop() == 0
