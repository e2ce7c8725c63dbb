"""Importing does nothing, and neither does a constructor: sentence 6."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.tree import ROOT, modules

PROBE = Path(__file__).with_name("import_probe.py")

ACTS = frozenset({
    "connect", "connect_robust", "create_task", "download_file", "ensure_future", "execute", "mkdir", "makedirs",
    "open", "Popen", "read_bytes", "read_text", "run_until_complete", "to_thread", "touch", "unlink", "urlopen",
    "write_bytes", "write_text", "client", "get_server", "from_pretrained",
})  # fmt: skip
"""Calls that reach outside the process, by the last part of their name."""


@pytest.mark.slow
def test_importing_a_module_does_nothing() -> None:
    """Nothing is written, connected, started, printed or set: neither files nor threads nor the environment."""
    names = [module.name for module in modules()]
    probe = subprocess.run(
        [sys.executable, "-B", str(PROBE), *names], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (probe.stdout, probe.stderr, probe.returncode) == ("", "", 0)


def test_no_constructor_does_io() -> None:
    acting = [
        f"{module}:{call.lineno} {node.name}.{method.name} calls {ast.unparse(call.func)}"
        for module in modules()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ClassDef)
        for method in node.body
        if isinstance(method, ast.FunctionDef) and method.name in {"__init__", "__post_init__", "__new__"}
        for call in ast.walk(method)
        if isinstance(call, ast.Call)
        if ast.unparse(call.func).split(".")[-1] in ACTS
    ]
    assert acting == []
