"""What a person is told to try once a server has started."""

from __future__ import annotations

import shlex

import pytest

from entrypoints.welcome import things_to_try


def test_three_lines_to_try() -> None:
    """About the project's own documents unless something else was taken in."""
    search, question, page = things_to_try("http://127.0.0.1:8000").splitlines()
    assert search.startswith("search:    .venv/bin/factflow search ")
    assert question.startswith("question:  .venv/bin/factflow chat ")
    assert page == "API page:  http://127.0.0.1:8000/docs"


@pytest.mark.parametrize(
    "about", ["Partial Indexes", 'a "quoted" one', "$(reboot) `reboot`", "it's", "a\\b!"]
)
def test_a_heading_can_be_typed_as_it_is_shown(about: str) -> None:
    """A shell takes it as one word, whatever the documents hold."""
    search, question, _ = things_to_try("http://127.0.0.1:8123", about).splitlines()
    assert shlex.split(search)[1:] == [
        ".venv/bin/factflow",
        "--url",
        "http://127.0.0.1:8123",
        "search",
        about,
    ]
    assert shlex.split(question)[-1] == f"What is said about {about}?"
