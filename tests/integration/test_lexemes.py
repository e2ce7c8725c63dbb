"""Lexemes remembered word by word against PostgreSQL's own of whole texts; and large arrays as parameters."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from adapters.postgres import lexemes
from adapters.postgres.arrays import Reals, integer_array, text_array
from adapters.postgres.database import Connection, Database
from adapters.postgres.lexemes import Lexemes
from domain.retrieval.words import words

pytestmark = pytest.mark.slow

TEXTS = [
    "The boundary layers of a swept wing, and the wings' boundary layer at Mach 2.5e3: 1e5, 5abc x1e5 0x1F v1.2.3",
    "running runs ran the THE a an of it's don't co-operate e-mail a@b.example http://x.example/y?z=1 #tag @at <b>",
    "Straße naïve façade ÉCOLE İstanbul ﬁrst ½ ² Ⅳ Ω Σίσυφος кошки собакам कमल ไทย 東京タワー 한국어 🙂 cafe\u0301",
    "null NULL {x} \"quoted\" back\\slash 'single' a'b",
    "wing " * 300 + "the " * 20 + "flow",
    "the of and",
    "",
]  # fmt: skip

_OWN = """
    SELECT word.lexeme, cardinality(word.positions) FROM unnest(to_tsvector(%s::regconfig, %s)) AS word
"""
_GIVEN = "SELECT word.lexeme, cardinality(word.positions) FROM unnest(%s::tsvector) AS word"


@pytest.fixture
async def connection(database: Database) -> AsyncIterator[Connection]:
    async with database.connection() as opened:
        yield opened


async def counted(connection: Connection, statement: str, *parameters: str) -> dict[str, int]:
    return dict(await (await connection.execute(statement.encode(), parameters)).fetchall())


@pytest.mark.parametrize("configuration", ["english", "simple", "german", "russian"])
async def test_words_have_the_lexemes_that_their_text_has(connection: Connection, configuration: str) -> None:
    """As often as PostgreSQL counts them; and the tsvector says the same."""
    known = Lexemes()
    for _ in range(2):
        found = await known.of(connection, [(configuration, words(text)) for text in TEXTS])
        for text, lexed in zip(TEXTS, found, strict=True):
            own = await counted(connection, _OWN, configuration, " ".join(words(text)))
            assert lexed.frequencies == own
            assert await counted(connection, _GIVEN, lexed.tsvector) == own
            assert lexed.length == sum(own.values())


async def test_forgetting_words_changes_nothing(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lexemes, "MOST_WORDS", 5)
    known = Lexemes()
    texts = [("english", words(text)) for text in TEXTS[:3]]
    together = await known.of(connection, texts)
    for _ in range(2):
        assert [(await known.of(connection, [text]))[0] for text in texts] == together


async def test_arrays_arrive_as_they_were(connection: Connection) -> None:
    texts = ["plain", "", "null", 'a"b', "a\\b", "{,}", "é 東", " "]
    numbers = [0, -1, 2**31 - 1]
    vectors = [(0.5, -1.25), (1e-7, 3.0, 1e30)]
    given = (text_array(texts), integer_array(numbers), Reals.of(vectors), text_array([]), Reals.of([]))
    row = await (
        await connection.execute(
            "SELECT %s::text[], %s::integer[], %s::real[]::float8[], %s::text[], %s::real[]", given
        )
    ).fetchone()
    assert row is not None
    assert row[:2] == (texts, numbers)
    assert row[2] == pytest.approx([0.5, -1.25, 1e-7, 3.0, 1e30], rel=1e-6)
    assert row[3:] == ([], [])


async def test_a_slice_of_numbers_becomes_a_vector(connection: Connection) -> None:
    row = await (
        await connection.execute("SELECT (%s::real[])[2:3]::halfvec::text", (Reals.of([[1, 2, 3]]),))
    ).fetchone()
    assert row == ("[2,3]",)
