"""The syntax trees of the whole code are kept for the tests of this folder, and for no others."""

from pathlib import Path

import pytest

from tests.architecture.tree import forget


def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Let the trees go after the last test here: they are millions of objects, which each collection walks."""
    if nextitem is None or nextitem.path.parent != Path(__file__).parent:
        forget()
