"""What chat is set to."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.memory.models import MemoryTokenizer
from domain.chat import prompt
from entrypoints.composition.chatting import PromptUnreadable, make_prompting
from entrypoints.settings import Settings


def test_instructions_come_from_a_file_if_one_is_named(tmp_path: Path) -> None:
    path = tmp_path / "instructions.txt"
    path.write_text("  Answer in verse [1].\n", encoding="utf-8")
    settings = Settings(chat_prompt=path, chat_context_tokens=500)
    prompting = make_prompting(settings, MemoryTokenizer())
    assert (prompting.instructions, prompting.context_tokens) == ("Answer in verse [1].", 500)
    assert make_prompting(Settings(), MemoryTokenizer()).instructions == prompt.INSTRUCTIONS


@pytest.mark.parametrize("content", [None, b"", b" \n", b"\xff\xfe", b"a\0b", b"x" * 70_000])
def test_a_file_that_is_no_instruction_is_refused_by_name(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "instructions.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(PromptUnreadable, match=r"instructions\.txt"):
        make_prompting(Settings(chat_prompt=path), MemoryTokenizer())
