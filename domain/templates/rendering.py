"""Puts values into the places of a template.

In a pipeline's YAML a value is written as JSON, which YAML reads as one value: a string in double quotes with everything
escaped that could end it. That holds wherever a place stands for a whole value, which ``require_whole_values`` proves
when a template is stored: with marks in all places the text is read, and each mark must come back as a value of its own,
not as a part of another text, a key or a comment. So no value can change anything but itself.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from domain.json import Json
from domain.templates.template import PLACE, InvalidTemplate, Template, TemplateKind

_MARK = "factflow-place-{number}-{name}"
# What JSON leaves as it is and YAML takes for a line break, a mark of the encoding, or nothing it can read.
_SPECIAL = re.compile("[\x7f-\x9f\u2028\u2029\ufeff]")


def rendered(template: Template, values: Mapping[str, Json]) -> str:
    """The text with a value in each place; values are not looked through for places."""
    write = as_yaml if template.kind is TemplateKind.PIPELINE else as_plain_text
    return PLACE.sub(lambda match: write(values[match[1]]), template.text)


def as_yaml(value: Json) -> str:
    """A value as JSON on one line, which is YAML too."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    return _SPECIAL.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def as_plain_text(value: Json) -> str:
    """A value as a person writes it: a list one item a line, null as nothing."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, Sequence):
        return "\n".join(map(str, value))
    return json.dumps(value)


def require_whole_values(template: Template, parse: Callable[[str], Json]) -> None:
    """Raise InvalidTemplate unless every place in the YAML stands for a whole value.

    ``parse`` reads YAML, and returns None for what cannot be read.
    """
    marks: list[str] = []

    def mark(match: re.Match[str]) -> str:
        marks.append(_MARK.format(number=len(marks), name=match[1]))
        return as_yaml(marks[-1])

    value = parse(PLACE.sub(mark, template.text))
    if value is None:
        raise InvalidTemplate("the text is no YAML, even with values in its places")
    found = set(_strings(value))
    for name, one in zip(template.places, marks, strict=True):
        if one not in found:
            raise InvalidTemplate(
                f"a place for {name} stands within a text, a key or a comment: it must be a whole value"
            )


def _strings(value: Json) -> Iterator[str]:
    """Every text that is a value, at any depth; not keys."""
    ahead: list[Json] = [value]
    while ahead:
        one = ahead.pop()
        if isinstance(one, str):
            yield one
        elif isinstance(one, Mapping):
            ahead.extend(one.values())
        elif isinstance(one, Sequence):
            ahead.extend(one)
