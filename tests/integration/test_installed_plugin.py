"""The example of the how-to page, installed by pip into a folder of its own, and run in a pipeline."""

from __future__ import annotations

import importlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from adapters.pipeline.discovery import installed
from adapters.pipeline.registry import PipelineAdapters
from adapters.yaml.parser import YamlConfigParser
from application.config_check import ConfigCheck
from application.ports.pipeline_adapter import AdapterResult, Emission, PipelineContext, Registration
from domain.json import JsonObject
from tests.integration.served import ROOT
from tests.unit.engines import Act, ActingAdapter, bench, ended_well

pytestmark = pytest.mark.slow

EXAMPLE = ROOT / "docs" / "how-to" / "example-pipeline-adapter"
PACKAGE = "example_pipeline_adapters"
YAML = """
version: "1.0"
routes:
  fan:
    inbound: {queue: fan}
    adapters: [{type: pages}]
    outbound: clean
  clean:
    inbound: {queue: clean, concurrency: 8}
    adapters:
      - {type: boilerplate_remover, config: {lines: ["Accept all cookies"]}}
    outbound: gather
  gather:
    inbound: {queue: gather, concurrency: 8}
    adapters:
      - {type: collector, config: {max_messages: 4, flush_seconds: 60}}
    outbound: note
  note:
    inbound: {queue: note}
    adapters: [{type: note}]
init_message: {route: fan}
"""


@dataclass(frozen=True)
class NoConfig:
    """A config without fields."""


def building(act: Act) -> Callable[[NoConfig], ActingAdapter]:
    return lambda _: ActingAdapter(act)


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which pip has installed the example."""
    folder = tmp_path_factory.mktemp("plugin")
    source = shutil.copytree(EXAMPLE, folder / "source")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"]
    done = subprocess.run(
        [*command, "--target", str(folder / "installed"), str(source)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder / "installed"


@pytest.fixture
def on_path(target: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The folder is one of this process's, as site-packages is of a server's."""
    monkeypatch.syspath_prepend(str(target))
    importlib.invalidate_caches()
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
        del sys.modules[name]


def run(target: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """A process of this environment that also sees the folder."""
    environment = {**os.environ, "PYTHONPATH": f"{target}{os.pathsep}{ROOT}"}
    return subprocess.run(
        [sys.executable, *command],
        cwd=target.parent,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_examples_own_tests_pass(target: Path) -> None:
    """Against the installed package, without this project's settings for pytest."""
    ran = run(
        target, "-m", "pytest", "-q", "-c", os.devnull, "-p", "no:cacheprovider", str(EXAMPLE / "tests")
    )
    assert ran.returncode == 0, ran.stdout
    assert "5 passed" in ran.stdout


def test_the_example_imports_one_module_of_the_server(target: Path) -> None:
    """`factflow_server.plugin` keeps its names over versions, and nothing else does."""
    sources = "\n".join(path.read_text() for path in (target / PACKAGE).glob("*.py"))
    ours = ("domain", "application", "adapters", "entrypoints", "factflow_server")
    imports = {line.split()[1] for line in sources.splitlines() if line.startswith(("import ", "from "))}
    assert {name for name in imports if name.partition(".")[0] in ours} == {"factflow_server.plugin"}


def test_the_command_line_validates_a_config_that_names_it(target: Path, tmp_path: Path) -> None:
    """In a process of its own, which finds the package by its entry points."""
    text = YAML.replace("{type: pages}", "{type: document_enumerator}")
    text = text.replace("{type: note}", "{type: segment_writer}")
    config = tmp_path / "pipeline.yaml"
    program = "import sys; from entrypoints.cli.main import main; sys.exit(main())"
    command = ("-c", program, "config", "validate", str(config), "--output", "json")
    config.write_text(text)
    ran = run(target, *command)
    assert (ran.returncode, json.loads(ran.stdout)["findings"]) == (0, []), ran.stderr
    config.write_text(text.replace("max_messages: 4", "max_messages: 0"))
    (finding,) = json.loads(run(target, *command).stdout)["findings"]
    assert (finding["code"], finding["message"]) == ("E303", "max_messages is not between 1 and 10000")


async def test_the_example_runs_in_a_pipeline(on_path: None) -> None:
    """Ten pages become digests of four, and of the two that are left; what is gathered is settled once."""
    batches: list[JsonObject] = []

    async def pages(context: PipelineContext) -> AdapterResult:
        texts = [f"page {number}\nAccept all cookies" for number in range(10)]
        return AdapterResult(message={}, emitted=[Emission(payload={"text": text}) for text in texts])

    async def note(context: PipelineContext) -> AdapterResult:
        batches.append(context.message)
        return AdapterResult(message={})

    own = [
        Registration(type=name, description=name, version="1", config=NoConfig, build=building(act))
        for name, act in (("pages", pages), ("note", note))
    ]
    registry = PipelineAdapters(own, installed)
    assert registry.version("collector") == "1.0.0"
    checked = await ConfigCheck(parser=YamlConfigParser(), registry=registry).of(YAML)
    assert checked.pipeline is not None, checked.report
    async with bench({}, registry=registry) as on:
        ended = await on.run(*checked.pipeline.routes.values())
    assert ended_well(ended)
    texts = [text for batch in batches for text in batch["texts"]]  # type: ignore[union-attr]
    assert sorted(map(str, texts)) == [f"page {number}" for number in range(10)]
    assert all(batch["route"] == "gather" for batch in batches)
    assert [len(batch["texts"]) for batch in batches] == [4, 4, 2]  # type: ignore[arg-type]
    assert ended.counts.done == 1 + 2 * 10 + len(batches)
