"""The pages of docs/reference/ that are made from the code, wholly or in part."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.architecture.tree import ROOT
from tests.reference.command_line import commands_page, settings_page
from tests.reference.errors import errors_page
from tests.reference.http_api import http_page, snapshot

FOLDER = ROOT / "docs" / "reference"
NOTE = "<!-- Made from the code by `python -m tests.reference`; do not edit. -->"
HTTP = FOLDER / "http-api.md"

PAGES: dict[Path, Callable[[], str]] = {
    FOLDER / "command-line.md": partial(commands_page, NOTE),
    FOLDER / "errors.md": partial(errors_page, NOTE),
    HTTP: partial(http_page, NOTE.replace("do not edit", "do not edit what is below"), HTTP),
    FOLDER / "openapi.json": snapshot,
    FOLDER / "settings.md": partial(settings_page, NOTE),
}
