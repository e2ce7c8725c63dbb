"""Pipeline configs from YAML text, by PyYAML's events: nothing is constructed, nothing recurses."""

from __future__ import annotations

import re
from collections.abc import Iterable

import yaml

from adapters.yaml.tree import Abandoned, Tree
from application.ports.config_parser import ParsedConfig
from domain.validation.collected import Collected

MAX_BYTES = 1024 * 1024
_NOT_ALLOWED = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_BYTE_ORDER_MARK = "\ufeff"

# The C parser is some ten times faster; a build of PyYAML without it reads the same.
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class YamlConfigParser:
    """Reads the core schema of YAML 1.2, without anchors, aliases, merge keys and tags.

    Bounds: 1 MiB, 50 levels, 50,000 values. Safe to use from several threads.
    """

    def parse(self, text: str) -> ParsedConfig:
        """The text's plain value and lines; everything wrong is a finding."""
        collected = Collected()
        text = text.removeprefix(_BYTE_ORDER_MARK)
        if not _is_acceptable(text, collected):
            return ParsedConfig(value=None, findings=collected.findings())
        tree = Tree(collected)
        is_whole = _grown(tree, text, collected)
        value = tree.value if is_whole else None
        return ParsedConfig(value=value, lines=tree.lines if is_whole else {}, findings=collected.findings())


def _is_acceptable(text: str, collected: Collected) -> bool:
    size = len(text) if len(text) > MAX_BYTES else len(text.encode("utf-8", "surrogatepass"))
    if size > MAX_BYTES:
        collected.add("E002", "", f"the file is larger than {MAX_BYTES} bytes")
    elif (strange := _NOT_ALLOWED.search(text)) is not None:
        line = text.count("\n", 0, strange.start()) + 1
        collected.add("E003", "", f"the character U+{ord(strange.group()):04X} is not allowed", line=line)
    return not collected.has_errors


def _grown(tree: Tree, text: str, collected: Collected) -> bool:
    """Whether the text was read to its end and holds a value."""
    try:
        _feed(tree, yaml.parse(text, Loader=_Loader))
    except Abandoned:
        return False
    except yaml.MarkedYAMLError as error:
        _explain(error, text, collected)
        return False
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        collected.add("E001", "", f"the text cannot be read: {str(error)[:200]}")
        return False
    if tree.value is None and not collected.has_errors:
        collected.add("E004", "", "the file holds no value", line=1)
    return tree.value is not None


def _feed(tree: Tree, events: Iterable[yaml.Event]) -> None:
    for event in events:
        line = event.start_mark.line + 1 if event.start_mark else 1
        match event:
            case yaml.DocumentStartEvent():
                tree.begin_document(line)
            case yaml.AliasEvent():
                tree.alias(line)
            case yaml.ScalarEvent():
                is_plain = event.implicit[0] and not event.style
                tree.decorate(event.anchor, event.tag, line)
                tree.scalar(event.value, line, is_plain=is_plain)
            case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                tree.decorate(event.anchor, event.tag, line)
                tree.open(line, is_mapping=isinstance(event, yaml.MappingStartEvent))
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                tree.close()
            case _:
                pass


def _explain(error: yaml.MarkedYAMLError, text: str, collected: Collected) -> None:
    mark = error.problem_mark or error.context_mark
    last_line = text.count("\n") + 1  # the C parser sees one more when the last has no line break
    line = min(mark.line + 1, last_line) if mark is not None else None
    if line is not None and _is_indented_with_tab(text, line):
        collected.add("E013", "", "the line is indented with a tab", line=line)
        return
    parts = [part for part in (error.context, error.problem) if part]
    collected.add("E001", "", ": ".join(parts)[:300] or "the text cannot be read", line=line)


def _is_indented_with_tab(text: str, line: int) -> bool:
    lines = text.splitlines()[line - 1 : line]
    return any("\t" in each[: len(each) - len(each.lstrip())] for each in lines)
