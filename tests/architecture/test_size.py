"""Small pieces: sentence 8."""

from tests.architecture.tree import Module, modules

MODULE_LINES = 300
FUNCTION_LINES = 50


def measured() -> list[Module]:
    return [
        module
        for module in modules()
        if "migrations" not in module.path.parts and "generated" not in module.text[:200].lower()
    ]


def test_no_module_is_longer_than_300_lines() -> None:
    long = {
        str(module): lines for module in measured() if (lines := len(module.text.splitlines())) > MODULE_LINES
    }
    assert long == {}


def test_no_function_is_longer_than_50_lines() -> None:
    """From `def` to its last line: signature and docstring count, decorators do not."""
    long = {
        f"{module}:{function.lineno} {function.name}": lines
        for module in measured()
        for function in module.functions()
        if (lines := (function.end_lineno or function.lineno) - function.lineno + 1) > FUNCTION_LINES
    }
    assert long == {}
