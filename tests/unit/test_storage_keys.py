"""Which keys are allowed, and how they are named on disk."""

from __future__ import annotations

import json
import unicodedata
from uuid import UUID, uuid4

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from adapters.filesystem.disk_names import (
    INCOMING,
    file_name,
    folder_name,
    on_disk,
    part_of_file,
    part_of_folder,
)
from domain.json import Json
from domain.storage import (
    MAX_KEY_BYTES,
    MAX_PART_BYTES,
    SIDECAR_SUFFIX,
    InvalidKey,
    metadata_text,
    require_valid_key,
    stage_key,
)

TEXT = st.text(st.sampled_from("ab.%fd/\\ \n\x7f\x85é\u0301\ud800🎈-_~"), max_size=30) | st.text(max_size=60)


def allowed(key: str) -> bool:
    try:
        return require_valid_key(key) == key
    except InvalidKey:
        return False


KEYS = TEXT.filter(allowed)
PARTS = KEYS.filter(lambda key: "/" not in key)


@given(TEXT)
@example("a/../b")
@example("..")
@example("a.meta.json")
@example("é" * 101)
def test_an_allowed_key_is_what_the_rule_says(key: str) -> None:
    """Each clause of the rule, stated a second time."""
    parts = key.split("/")
    as_the_rule_says = (
        not any(0xD800 <= ord(character) <= 0xDFFF for character in key)
        and 0 < len(key.encode("utf-8", "replace")) <= MAX_KEY_BYTES
        and unicodedata.normalize("NFC", key) == key
        and not any(unicodedata.category(character) == "Cc" for character in key)
        and "\\" not in key
        and not key.endswith(SIDECAR_SUFFIX)
        and all(part not in {"", ".", ".."} and len(part.encode()) <= MAX_PART_BYTES for part in parts)
    )
    assert allowed(key) == as_the_rule_says


@given(KEYS, KEYS)
@example("a", "a/b")
@example("a.b/c", "a.b")
@example("a%d/x", "a/x")
@example("a%f", "a")
def test_different_keys_lie_at_different_places(one: str, other: str) -> None:
    """And no file stands where another key needs a folder."""
    folders, file = on_disk(one)
    other_folders, other_file = on_disk(other)
    if one != other:
        assert (folders, file) != (other_folders, other_file)
    path = [*folders, file]
    assert other_folders[: len(path)] != path


@given(PARTS)
def test_the_key_is_read_back_from_the_names(part: str) -> None:
    """Files and folders alike; neither is ever taken for a sidecar, a draft or the way up."""
    assert part_of_file(file_name(part)) == part
    assert part_of_folder(folder_name(part)) == part
    for name in (file_name(part), folder_name(part)):
        assert name not in {INCOMING, ".", ".."}
        assert not name.endswith(SIDECAR_SUFFIX)
        assert len((name + SIDECAR_SUFFIX + "~").encode()) <= 255


@given(st.text(max_size=20))
def test_strangers_stand_for_no_key(name: str) -> None:
    """A name on disk stands for a part only if that part is named so."""
    if (part := part_of_file(name)) is not None:
        assert file_name(part) == unicodedata.normalize("NFC", name)
    if (part := part_of_folder(name)) is not None:
        assert folder_name(part) == unicodedata.normalize("NFC", name)


def test_a_stage_keeps_a_message_under_its_own_key() -> None:
    """Execution, route, stage, message; a stage may have a slash in it."""
    execution_id, message_id = UUID(int=1), UUID(int=2)
    key = stage_key(execution_id, "route", "boost/compacted", message_id, ".md")
    assert key == f"executions/{execution_id}/route/boost/compacted/{message_id}.md"
    with pytest.raises(InvalidKey):
        stage_key(uuid4(), "..", "stage", uuid4())


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=10))
def test_metadata_of_json_values_comes_back_as_it_was(value: Json) -> None:
    """As JSON text."""
    assert json.loads(metadata_text("text/plain", {"value": value})) == {"value": value}
