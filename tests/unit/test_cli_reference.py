"""The pages about commands and settings say what the code says."""

from pathlib import Path

import pytest

from tests.cli_reference import PAGES


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_a_reference_page_is_up_to_date(path: Path) -> None:
    """When this fails: `python -m tests.cli_reference`, then look at the difference."""
    assert path.read_text("utf-8") == PAGES[path]()
