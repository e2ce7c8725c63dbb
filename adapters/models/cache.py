"""Keeps the converted model in a folder, made once whatever dies or starts at the same time."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

from adapters.models.conversion import convert
from adapters.models.package import ModelPackage
from domain.errors import Unavailable

_LOCK = ".minilm.lock"
_UNFINISHED = ".unfinished-minilm-"


def converted(package: ModelPackage, cache: Path, fingerprint: str, quantization: str) -> Path:
    """The folder of the converted model, converting first when it is not there yet.

    A folder of the final name is always whole: conversion works beside it and renames. A second process waits for
    the first one's lock and finds the result. Raises Unavailable when the cache cannot be written.
    """
    target = cache / f"minilm-{package.version}-{fingerprint}-{quantization}"
    if target.is_dir():
        return target
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with _locked(cache):
            if not target.is_dir():
                _remove_unfinished(cache)
                _convert_into(target, package, quantization)
    except OSError as error:
        raise Unavailable(
            f"the embedding model cannot be kept in {cache}: {error.strerror or error}; "
            "choose a folder that can be written to and has 30 MB of room (90 MB for float32)"
        ) from error
    return target


def _convert_into(target: Path, package: ModelPackage, quantization: str) -> None:
    workshop = Path(mkdtemp(prefix=_UNFINISHED, dir=target.parent))
    made = workshop / "model"
    convert(package.weights, package.vocabulary, made, quantization)
    for path in (*made.iterdir(), made):
        _flush(path)
    made.rename(target)
    workshop.rmdir()
    _flush(target.parent)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove_unfinished(cache: Path) -> None:
    """What a process that died left behind: nobody else is at work while we hold the lock."""
    for leftover in cache.glob(f"{_UNFINISHED}*"):
        shutil.rmtree(leftover, ignore_errors=True)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    with (folder / _LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
