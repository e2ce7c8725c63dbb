"""The catalogue of pipeline adapters over HTTP and on the command line."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from adapters.pipeline.discovery import installed
from adapters.pipeline.registry import PipelineAdapters
from application.pipeline_adapters import Catalogue, CatalogueReadiness
from application.ports.readiness import Health
from tests.contracts.test_pipeline_adapter import SHOUT
from tests.http_server import Api, serving
from tests.integration.test_cli_with_api import factflow
from tests.unit.test_discovery import GOOD, Packages, packages

__all__ = ["packages"]


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with serving() as api:
        yield api


async def test_the_catalogue_is_listed_in_pages(api: Api) -> None:
    """Each with what YAML calls it, its version, its package and its schema."""
    status, page = await api.ask("GET", "/api/v1/adapters", params={"limit": "2"})
    assert status == 200
    assert [one["type"] for one in page["adapters"]] == ["echo", "reject"]
    assert (page["total"], page["has_more"], page["unusable"]) == (4, True, [])
    assert page["adapters"][0]["package"] == "factflow-server"
    assert page["adapters"][0]["config_schema"]["type"] == "object"


async def test_one_pipeline_adapter_is_described(api: Api) -> None:
    """And an unknown one is a 404 with our code."""
    status, one = await api.ask("GET", "/api/v1/adapters/echo")
    assert (status, one["version"]) == (200, "1")
    status, problem = await api.ask("GET", "/api/v1/adapters/nothing")
    assert (status, problem["error_code"]) == (404, "pipeline_adapter_unknown")


async def test_a_config_is_validated_alone_and_an_example_shows_how(api: Api, tmp_path: Path) -> None:
    """Over HTTP and on the command line; an unknown type is a 404."""
    path = "/api/v1/adapters/echo"
    status, report = await api.ask("POST", f"{path}/validate", json={"config": {"loud": True}})
    assert (status, report["is_valid"], report["error_count"]) == (200, False, 1)
    assert (report["findings"][0]["code"], report["findings"][0]["path"]) == ("E301", "loud")
    status, report = await api.ask("POST", f"{path}/validate", json={"config": {}})
    assert (status, report["is_valid"], report["findings"]) == (200, True, [])
    async with api.session.get(f"{api.url}{path}/example") as answer:
        assert (answer.status, answer.content_type) == (200, "application/yaml")
        text = await answer.text()
    status, report = await api.ask("POST", "/api/v1/configs/validate", json={"config_yaml": text})
    assert (status, report["findings"]) == (200, [])
    async with api.session.get(f"{api.url}{path}/schema") as answer:
        assert (answer.status, answer.content_type) == (200, "application/schema+json")
        schema = await answer.json(content_type=None)
        assert (schema["title"], schema["type"], schema["additionalProperties"]) == ("echo", "object", False)
        assert schema["$schema"].startswith("https://json-schema.org/")
    for method, what in (("GET", "example"), ("GET", "schema"), ("POST", "validate")):
        status, problem = await api.ask(method, f"/api/v1/adapters/nothing/{what}", json={"config": {}})
        assert (status, problem["error_code"]) == (404, "pipeline_adapter_unknown")
    code, out, _ = await factflow(api, "adapter", "example", "echo")
    assert (code, out) == (0, text)
    file = tmp_path / "config.yaml"
    file.write_text("loud: true\n", encoding="utf-8")
    code, out, _ = await factflow(api, "adapter", "validate", "echo", "-f", str(file))
    assert (code, "E301" in out) == (2, True)
    file.write_text("{}\n", encoding="utf-8")
    code, out, _ = await factflow(api, "adapter", "validate", "echo", "-f", str(file))
    assert (code, out) == (0, "valid\n")


async def test_the_command_line_shows_the_catalogue(api: Api) -> None:
    """As a table, as JSON, and one by one."""
    code, out, _ = await factflow(api, "adapter", "list")
    assert (code, "echo" in out, "factflow-server" in out) == (0, True, True)
    code, out, _ = await factflow(api, "adapter", "get", "echo", "--output", "json")
    assert (code, json.loads(out)["type"]) == (0, "echo")
    code, _, err = await factflow(api, "adapter", "get", "nothing")
    assert (code, "there is no pipeline adapter 'nothing'" in err) == (4, True)


async def test_what_cannot_be_used_is_in_the_catalogue_with_its_reason(packages: Packages) -> None:
    """It degrades the server's health, and nothing else."""
    packages.add("soft-words", GOOD, whisper="whisper")
    catalogue = Catalogue(adapters=PipelineAdapters((SHOUT,), installed))
    assert (await CatalogueReadiness(catalogue=catalogue).check()).health is Health.HEALTHY
    packages.add("bad-words", "1 / 0", curse="curse")
    catalogue = Catalogue(adapters=PipelineAdapters((SHOUT,), installed))
    (unusable,) = await catalogue.unusable()
    assert (unusable.type, unusable.package) == ("curse", "bad-words")
    answer = await CatalogueReadiness(catalogue=catalogue).check()
    assert (answer.health, answer.message) == (Health.DEGRADED, "cannot be used: curse")
    assert "ZeroDivisionError" in str(answer.details)
