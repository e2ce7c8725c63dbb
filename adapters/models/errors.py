"""Turns the errors of CTranslate2, tokenizers and the file system into ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from domain.errors import FactflowError, Unavailable


@contextmanager
def translating(doing: str) -> Iterator[None]:
    """Raise Unavailable for whatever goes wrong within, saying what was being done, with its cause.

    CTranslate2 and tokenizers raise RuntimeError, ValueError and bare Exception, so nothing narrower will do.
    """
    try:
        yield
    except FactflowError:
        raise
    except Exception as error:
        raise Unavailable(f"{doing} failed: {error}") from error
