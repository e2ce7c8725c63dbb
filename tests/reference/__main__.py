"""Writes the pages of docs/reference/ that are made from the code: `python -m tests.reference`."""

from __future__ import annotations

from tests.reference.pages import PAGES

for path, page in PAGES.items():
    path.write_text(page(), encoding="utf-8")
