"""Pipeline adapters of installed packages: found by entry point, imported when needed, and never in the way."""

from __future__ import annotations

import importlib
import logging
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from adapters.memory.ledger import MemoryLedger
from adapters.memory.unit_of_work import MemoryUnitOfWork
from adapters.pipeline.discovery import installed
from adapters.pipeline.registry import PipelineAdapters
from adapters.yaml.parser import YamlConfigParser
from application.config_check import ConfigCheck
from application.configs import Configs
from application.executions import Executions
from application.ports.pipeline_adapter import CollectingAdapter
from domain.execution import ExecutionStatus
from domain.findings import ConfigNotRunnable, InvalidAdapterConfig, UnknownPipelineAdapter
from tests.contracts.test_pipeline_adapter import SHOUT
from tests.unit.engines import bench

GOOD = """
from dataclasses import dataclass
from factflow_server.plugin import AdapterResult, PipelineContext, Registration

@dataclass(frozen=True, kw_only=True)
class WhisperConfig:
    suffix: str
    times: int = 1
    words: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.times < 1:
            raise ValueError("times is below 1")

class Whisper:
    def __init__(self, config: WhisperConfig) -> None:
        self.config = config

    async def process(self, context: PipelineContext) -> AdapterResult | None:
        return AdapterResult(message={**context.message, "said": self.config.suffix * self.config.times})

whisper = Registration(type="whisper", description="Whispers.", config=WhisperConfig, build=Whisper)
"""
YAML = """
version: "1.0"
routes:
  only:
    inbound: {queue: only}
    adapters: [{type: TYPE, config: {suffix: "."}}]
init_message: {route: only}
"""


@dataclass(frozen=True)
class Packages:
    """A folder on the path into which packages are put as an installer would."""

    folder: Path
    modules: list[str] = field(default_factory=list)

    def add(self, package: str, code: str, /, version: str = "1.0", **entries: str) -> None:
        """A package of one module; the entries are ``type="attribute"``."""
        module = package.replace("-", "_")
        self.modules.append(module)
        (self.folder / f"{module}.py").write_text(code)
        metadata = self.folder / f"{module}-{version}.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n")
        importlib.invalidate_caches()
        lines = "".join(f"{name} = {module}:{attribute}\n" for name, attribute in entries.items())
        (metadata / "entry_points.txt").write_text(f"[factflow.pipeline_adapters]\n{lines}")


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Packages]:
    """An environment with no plugins but those a test adds."""
    monkeypatch.syspath_prepend(str(tmp_path))
    made = Packages(tmp_path)
    yield made
    for module in made.modules:
        sys.modules.pop(module, None)


def registry() -> PipelineAdapters:
    return PipelineAdapters((SHOUT,), installed)


def reason(of: PipelineAdapters) -> str:
    """Why the only plugin there is cannot be used."""
    (unusable,) = of.unusable()
    return unusable.reason


def test_a_plugin_is_found_with_the_version_and_name_of_its_package(packages: Packages) -> None:
    """And it stands beside those that are shipped."""
    packages.add("soft-words", GOOD, version="2.1", whisper="whisper")
    found = registry()
    assert found.types() == {"shout": "Shouts.", "whisper": "Whispers."}
    assert found.version("whisper") == "2.1"
    described = {one.type: one for one in found.described()}
    assert described["whisper"].package == "soft-words"
    assert described["shout"].package == "factflow-server"
    assert described["whisper"].config_schema["required"] == ["suffix"]
    assert found.unusable() == []


def test_nothing_is_imported_before_the_registry_is_used(packages: Packages) -> None:
    """Making it is part of composing a server, and reads nothing."""
    packages.add("soft-words", GOOD, whisper="whisper")
    made = registry()
    assert "soft_words" not in sys.modules
    made.check("shout", {})
    assert "soft_words" in sys.modules


def test_the_config_of_a_plugin_is_checked_as_its_dataclass_declares(packages: Packages) -> None:
    """With the same codes and remedies as that of a shipped one."""
    packages.add("soft-words", GOOD, whisper="whisper")
    found = registry()
    problems = found.check("whisper", {"sufix": ".", "times": "x", "words": ["a", 1]})
    assert [(problem.code, problem.path) for problem in problems] == [
        ("E301", "sufix"),
        ("E302", "suffix"),
        ("E303", "times"),
        ("E303", "words[1]"),
    ]
    assert problems[0].remediation == "did you mean 'suffix'?"
    (whole,) = found.check("whisper", {"suffix": ".", "times": 0})
    assert (whole.code, whole.message) == ("E303", "times is below 1")
    with pytest.raises(InvalidAdapterConfig, match="times is below 1"):
        found.build("whisper", {"suffix": ".", "times": 0})


COLLECTING = """
from factflow_server.plugin import AdapterResult, Grouping, Registration

class Heap:
    def __init__(self, config: Grouping) -> None:
        self.grouping = config

    async def collect(self, messages, context) -> AdapterResult | None:
        return None

heap = Registration(type="heap", description="Heaps up.", config=Grouping, build=Heap, collects=True)
"""

ODD = """
def _odd(heap):
    heap.grouping = 5
    return heap
"""


def test_a_plugin_may_collect(packages: Packages) -> None:
    """Its config is checked as any other is."""
    packages.add("heaps", COLLECTING, heap="heap")
    found = registry()
    assert (found.collects("heap"), found.collects("shout"), found.unusable()) == (True, False, [])
    assert found.check("heap", {"max_messages": 3, "flush_seconds": 1, "key": "a.b"}) == ()
    (problem,) = found.check("heap", {"max_messages": 0})
    assert problem.message == "max_messages is not between 1 and 10000"
    assert isinstance(found.build("heap", {}), CollectingAdapter)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (COLLECTING.replace("build=Heap", "build=lambda _: 5"), "has no `collect`"),
        (
            COLLECTING.replace("build=Heap", "build=lambda c: _odd(Heap(c))") + ODD,
            "whose `grouping` is no Grouping",
        ),
    ],
)
def test_what_does_not_collect_cannot_be_built(packages: Packages, code: str, said: str) -> None:
    packages.add("heaps", code, heap="heap")
    with pytest.raises(InvalidAdapterConfig, match=said):
        registry().build("heap", {})


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import no_such_module_at_all", "No module named 'no_such_module_at_all'"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("1 / 0", "ZeroDivisionError"),
        ("def (:", "SyntaxError"),
        ("x = 1", "has no attribute 'whisper'"),
        ("whisper = 5", "that is int and not a Registration"),
        (GOOD.replace('type="whisper"', 'type="shriek"'), "registered as 'shriek'"),
        (GOOD.replace("config=WhisperConfig", "config=int"), "not a dataclass"),
        (GOOD.replace("suffix: str", "suffix: complex"), "not a dataclass whose fields are JSON"),
        (GOOD.replace("async def process", "def process"), "no `async def process"),
        (
            GOOD.replace(
                "    async def process", "    async def open(self, c): ...\n\n    async def process"
            ),
            "not both",
        ),
        (GOOD.replace("build=Whisper)", "build=Whisper, collects=True)"), "no `async def collect"),
        (GOOD.replace("build=Whisper)", "build=None)"), "cannot be called"),
        (GOOD.replace("build=Whisper)", "build=Whisper, version=7)"), "has a version"),
    ],
)
def test_a_plugin_that_is_broken_says_why_and_stops_nothing(
    packages: Packages, caplog: pytest.LogCaptureFixture, code: str, said: str
) -> None:
    """The log, the catalogue and the finding of a config that names it give the same reason."""
    packages.add("soft-words", code, whisper="whisper")
    found = registry()
    with caplog.at_level(logging.WARNING):
        assert list(found.types()) == ["shout"]
    assert said in reason(found)
    assert "soft-words" in reason(found)
    assert reason(found) in caplog.text
    (problem,) = found.check("whisper", {})
    assert problem.code == "E103"
    assert reason(found) in problem.message
    assert "soft-words" in problem.remediation
    with pytest.raises(UnknownPipelineAdapter, match="cannot be used"):
        found.build("whisper", {})


def test_a_plugin_never_takes_the_place_of_a_shipped_one(packages: Packages) -> None:
    """It is refused, and the shipped one stays."""
    packages.add("loud-words", GOOD.replace('type="whisper"', 'type="shout"'), shout="whisper")
    found = registry()
    assert found.version("shout") == "1"
    assert "loud-words declares a type that comes with the server" in reason(found)
    assert "loud_words" not in sys.modules


def test_of_two_plugins_with_one_name_none_is_taken(packages: Packages) -> None:
    """Which one ran would depend on the order of folders on a path."""
    packages.add("soft-words", GOOD, whisper="whisper")
    packages.add("quiet-words", GOOD, whisper="whisper")
    found = registry()
    assert list(found.types()) == ["shout"]
    assert "declared more than once, by quiet-words, soft-words" in reason(found)


def test_a_plugin_that_wants_to_leave_is_a_bad_config(packages: Packages) -> None:
    """Be it while it is built or while its config is checked: the server stays."""
    packages.add("soft-words", GOOD.replace("self.config = config", "raise SystemExit(3)"), whisper="whisper")
    packages.add(
        "odd-words",
        GOOD.replace("raise ValueError", "raise SystemExit").replace('type="whisper"', 'type="odd"'),
        odd="whisper",
    )
    found = registry()
    with pytest.raises(InvalidAdapterConfig, match="whisper of soft-words could not be built: SystemExit: 3"):
        found.build("whisper", {"suffix": "."})
    (problem,) = found.check("odd", {"suffix": ".", "times": 0})
    assert "could not be checked: SystemExit: times is below 1" in problem.message


def test_a_plugin_that_builds_nonsense_is_a_bad_config(packages: Packages) -> None:
    """A `build` that raises, and one whose result has no `process`."""
    packages.add(
        "soft-words", GOOD.replace("self.config = config", 'raise OSError("no disk")'), whisper="whisper"
    )
    packages.add(
        "odd-words",
        GOOD.replace("build=Whisper", "build=lambda config: 5").replace('type="whisper"', 'type="odd"'),
        odd="whisper",
    )
    found = registry()
    with pytest.raises(
        InvalidAdapterConfig, match="whisper of soft-words could not be built: OSError: no disk"
    ):
        found.build("whisper", {"suffix": "."})
    with pytest.raises(InvalidAdapterConfig, match="built as int, which has no `process`"):
        found.build("odd", {"suffix": "."})


async def test_a_config_that_names_a_broken_plugin_is_stored_and_does_not_run(packages: Packages) -> None:
    """The run-gate tells the reason; another config of the same server runs."""
    packages.add("soft-words", "import no_such_module_at_all", whisper="whisper")
    found, ledger = registry(), MemoryLedger()
    async with bench({}, ledger=ledger, executions=ledger, registry=found) as on:
        ports, work = on.engine.ports, MemoryUnitOfWork(ledger)
        configs = Configs(
            work=work, parser=YamlConfigParser(), registry=found, clock=ports.clock, ids=ports.ids
        )
        executions = Executions(configs=configs, work=work, engine=on.engine, limit=10)
        broken = (await configs.create(name="broken", yaml=YAML.replace("TYPE", "whisper"))).config
        with pytest.raises(ConfigNotRunnable, match="no_such_module_at_all"):
            await executions.start(broken.id)
        good = (await configs.create(name="good", yaml=YAML.replace("TYPE", "shout"))).config
        ended = await on.ended((await executions.start(good.id)).id)
        assert ended.status is ExecutionStatus.COMPLETED


async def test_validation_names_the_line_of_a_broken_plugin(packages: Packages) -> None:
    """As for any other unknown type."""
    packages.add("soft-words", "1 / 0", whisper="whisper")
    check = ConfigCheck(parser=YamlConfigParser(), registry=registry())
    (finding,) = (await check.of(YAML.replace("TYPE", "whisper"))).report.errors
    assert (finding.code, finding.path, finding.line) == ("E103", "routes.only.adapters.0.type", 6)
    assert "ZeroDivisionError" in finding.message
