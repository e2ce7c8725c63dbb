"""In-memory adapters are the test doubles, and tests are sentences: sentence 5."""

import ast

from tests.architecture.tree import modules, top


def test_no_test_uses_a_mock() -> None:
    mocking = [
        f"{module}: {name}"
        for module in modules("tests", "benchmarks", "domain", "application", "adapters", "entrypoints")
        if "mock" in module.text  # most have not even the word, and need not be parsed
        for name in sorted(module.imports)
        if name.startswith("unittest.mock") or top(name) in {"mock", "pytest_mock"}
    ]
    mocking += [
        f"{module}:{node.lineno} {node.arg}"
        for module in modules("tests")
        if "mocker" in module.text
        for node in ast.walk(module.tree)
        if isinstance(node, ast.arg) and node.arg == "mocker"
    ]
    assert mocking == []


def test_no_test_replaces_our_code_by_name() -> None:
    """`monkeypatch.setattr` on our own packages is a mock by another name; on the environment it is fine."""
    ours = ("domain.", "application.", "adapters.", "entrypoints.", "factflow_server.")
    found = [
        f"{module}:{node.lineno}"
        for module in modules("tests")
        if "setattr" in module.text
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "monkeypatch.setattr"
        if node.args and ast.unparse(node.args[0]).strip("'\"").startswith(ours)
    ]
    assert found == []
