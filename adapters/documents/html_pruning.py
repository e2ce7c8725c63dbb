"""Which elements of an HTML page are not part of its text."""

from __future__ import annotations

import re
from collections.abc import Mapping


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


VOID = _names("area base br col embed hr img input link meta param source track wbr")
_NEVER_TEXT = _names(
    "applet audio button canvas datalist dialog iframe input map noframes noscript object progress rp rt script "
    "select style svg template textarea video"
)
_AROUND_THE_TEXT = frozenset({"nav", "header", "footer", "search"})
_ROLES_AROUND = frozenset({"navigation", "banner", "contentinfo", "search"})
_CLASSES_AROUND = _names(
    "breadcrumb breadcrumbs cookie-banner doc-anchor footer gutter hash-link headerlink linenos lineno navbar navbar-nav navfooter "
    "navheader navigation nav page-footer page-header pagination permalink related sidebar site-footer site-header "
    "skip-link sphinxsidebar table-of-contents toc"
)
_NOTES = _names("admonition caution danger hint important note tip warning")
_INVISIBLE = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)


def is_never_text(tag: str, attributes: Mapping[str, str | None]) -> bool:
    """Whether an element is for machines, or hidden from readers."""
    return (
        tag in _NEVER_TEXT
        or "hidden" in attributes
        or attributes.get("aria-hidden") == "true"
        or _INVISIBLE.search(attributes.get("style") or "") is not None
    )


def is_around_the_text(tag: str, attributes: Mapping[str, str | None], *, in_article: bool) -> bool:
    """Whether an element leads through the site rather than being text of the page.

    An article's own header and footer belong to it.
    """
    if tag in {"html", "body", "main", "article"}:
        return False
    if tag in _AROUND_THE_TEXT and not (in_article and tag in {"header", "footer"}):
        return True
    classes = (attributes.get("class") or "").lower().split()
    return attributes.get("role") in _ROLES_AROUND or not _CLASSES_AROUND.isdisjoint(classes)


def is_note(attributes: Mapping[str, str | None]) -> bool:
    """Whether an element is a box beside the text, such as a warning."""
    return not _NOTES.isdisjoint((attributes.get("class") or "").lower().split())
