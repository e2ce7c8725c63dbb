"""What a port is, and that its suite knows every adapter: sentence 5."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.architecture.tree import ROOT, Module, is_protocol, methods, modules

CONTRACTS = ROOT / "tests" / "contracts"
BESIDE = "tests.contracts."

ONE_METHOD: dict[str, str] = {
    "ConfigParser": "parsing is one act",
    "PipelineAdapter": "the smallest thing a third party can write",
    "Subscription": "part of MessageQueue: what `subscribe` returns",
}
"""Ports of one method, and why there is nothing more to say."""

SEVEN_METHODS: dict[str, str] = {
    "SegmentIndex": "vectors is what a choice of diverse matches compares, and belongs with fetch",
    "ObjectStorage": "fetch is read with the description, in one step: half of what a pipeline asks of storage",
}
"""Ports with one method more than six, and why."""

NO_SUITE: dict[str, str] = {
    "id_source": "a random source has no behaviour to compare; its arithmetic is domain/identity.py, property-tested",
}
"""Port files without a contract suite, and what tests them instead."""

PARTS: dict[str, str] = {
    "Delivery": "what Subscription.receive returns",
    "Executions": "part of what UnitOfWork.begin yields",
    "PipelineConfigs": "part of what UnitOfWork.begin yields",
    "Stage": "part of the context that a pipeline adapter is given",
    "Subscription": "what MessageQueue.subscribe returns",
}
"""Protocols that are reached through another port of their file: its suite proves them without naming their classes."""

AFFIXES = ("Abstract", "Base", "Interface", "Impl", "Port", "Protocol", "Manager", "Service")


def ports() -> Iterator[tuple[Module, ast.ClassDef]]:
    for module in modules("application"):
        if module.name.startswith("application.ports."):
            yield from ((module, node) for node in module.classes() if is_protocol(node))


def adapters() -> Iterator[tuple[Module, ast.ClassDef]]:
    for module in modules("adapters"):
        yield from ((module, node) for node in module.classes() if not is_protocol(node))


def suite_names(stem: str) -> set[str]:
    """Every name that the suite of a port file mentions, and the modules of tests/contracts/ that it imports."""
    named: set[str] = set()
    seen: set[Path] = set()
    ahead = [CONTRACTS / f"test_{stem}.py"]
    while ahead:
        path = ahead.pop()
        if path in seen or not path.exists():
            continue
        seen.add(path)
        suite = Module(path)
        ahead += [
            ROOT / Path(*name.split(".")).with_suffix(".py") for name in suite.imports if BESIDE in name
        ]
        for node in ast.walk(suite.tree):
            if isinstance(node, ast.Name):
                named.add(node.id)
            elif isinstance(node, ast.Attribute):
                named.add(node.attr)
            elif isinstance(node, ast.alias):
                named.add(node.name.split(".")[-1])
    return named


def test_every_method_of_a_port_states_its_behaviour() -> None:
    silent = [
        f"{module}: {node.name}.{method.name}"
        for module, node in ports()
        for method in methods(node)
        if not ast.get_docstring(method)
    ]
    silent += [f"{module}: {node.name}" for module, node in ports() if not ast.get_docstring(node)]
    assert silent == []


def acts(node: ast.ClassDef) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    """What a port can be asked to do: its methods, properties apart."""
    return [
        one for one in methods(node) if not any(ast.unparse(it) == "property" for it in one.decorator_list)
    ]


def test_a_port_has_two_to_six_methods() -> None:
    wrong = {
        node.name: count
        for _, node in ports()
        if ((count := len(methods(node))) < 2 and node.name not in ONE_METHOD)
        or len(acts(node)) > 6 + (node.name in SEVEN_METHODS)
    }
    assert wrong == {}


def test_a_port_is_a_plain_noun() -> None:
    wrong = [
        node.name
        for _, node in ports()
        if node.name.startswith(AFFIXES) or node.name.endswith(AFFIXES) or node.name[:2] in {"IM", "IS", "IR"}
    ]
    assert wrong == []


def test_protocols_of_the_application_are_ports() -> None:
    strays = [
        f"{module}: {node.name}"
        for module in modules("application", "domain")
        if not module.name.startswith("application.ports.")
        for node in module.classes()
        if is_protocol(node)
    ]
    assert strays == []


def test_every_port_has_a_contract_suite() -> None:
    stems = {module.path.stem for module, _ in ports()}
    missing = sorted(stem for stem in stems - set(NO_SUITE) if not (CONTRACTS / f"test_{stem}.py").exists())
    assert missing == []


def test_every_adapter_is_enrolled_in_its_ports_suite() -> None:
    """An adapter of a port is a class named for it (`RabbitMessageQueue`) or one with all its methods."""
    left_out = [
        f"{module}: {adapter.name} is not in tests/contracts/test_{port_module.path.stem}.py"
        for port_module, port in ports()
        if port_module.path.stem not in NO_SUITE and port.name not in PARTS
        for module, adapter in adapters()
        if implements(adapter, port)
        if adapter.name not in suite_names(port_module.path.stem)
    ]
    assert left_out == []


def implements(adapter: ast.ClassDef, port: ast.ClassDef) -> bool:
    wanted = {shape(method) for method in methods(port)}
    offered = {shape(method) for method in methods(adapter)}
    named_for_it = adapter.name.endswith(port.name) and bool(wanted & offered)
    return not adapter.name.startswith("_") and (named_for_it or (len(wanted) > 1 and wanted <= offered))


def shape(method: ast.FunctionDef | ast.AsyncFunctionDef) -> tuple[str, tuple[str, ...], bool]:
    """Name, parameters, and whether it is awaited."""
    arguments = method.args
    names = tuple(item.arg for item in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs))
    return method.name, names, isinstance(method, ast.AsyncFunctionDef)


def test_adapters_do_not_inherit_from_ports() -> None:
    names = {node.name for _, node in ports()}
    inheriting = [
        f"{module}: {node.name}({ast.unparse(base)})"
        for module, node in adapters()
        for base in node.bases
        if ast.unparse(base).split(".")[-1] in names
    ]
    assert inheriting == []


def test_the_exemptions_are_still_needed() -> None:
    names = {node.name: len(methods(node)) for _, node in ports()}
    stems = {module.path.stem for module, _ in ports()}
    assert [name for name in ONE_METHOD if names.get(name) != 1] == []
    assert sorted(PARTS.keys() - names) == []
    assert [stem for stem in NO_SUITE if stem not in stems or (CONTRACTS / f"test_{stem}.py").exists()] == []
