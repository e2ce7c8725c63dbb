"""The scope that each operation needs: by its tag and its method, with every exception named here."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from litestar.handlers import HTTPRouteHandler

from domain.access.scope import EVERYTHING, FULL, Action, Scope

PUBLIC_PATHS = frozenset({"/", "/docs", "/openapi.json", "/openapi.toon"})
"""What anybody may read: where things are, and what the API is like."""

PUBLIC = frozenset({"get_liveness", "get_readiness"})
"""Operations for whoever asks: a supervisor and a load balancer have no key, and learn nothing but a yes or no."""

ANY_PRINCIPAL = frozenset({"get_own_key"})
"""Operations for everybody who is recognised, whatever they may do."""

READING = frozenset(
    {
        "chat_complete",
        "chat_search_hybrid",
        "chat_search_rrf",
        "chat_search_semantic",
        "chat_stream",
        "embed_texts",
        "openai_chat_completions",
        "openai_embeddings",
        "preview_replay",
        "render_template",
        "search",
        "search_hybrid",
        "search_keyword",
        "search_multi_model",
        "search_rrf",
        "validate_adapter_config",
        "validate_config",
    }
)
"""Operations that change nothing though their method is POST: a question may be longer than a URL."""

BY_PATH = {"/metrics": Scope("system", Action.READ)}
"""What is no operation of the API and needs a scope all the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """What is asked for. ``scope`` is None when no scope is needed; ``is_public`` when nobody need be known."""

    name: str
    scope: Scope | None
    is_public: bool = False

    @property
    def changes(self) -> bool:
        """Whether it is there to change something."""
        return self.scope is not None and self.scope.action is Action.WRITE

    @property
    def is_delicate(self) -> bool:
        """Whether even reading is written into the audit log: keys, and that log itself."""
        return self.scope is not None and self.scope.tag in {"keys", "audit"}


def operation_of(handler: HTTPRouteHandler) -> Operation:
    """What a handler does, and what that needs. A handler that is known by nothing here needs every scope."""
    name = handler.operation_id
    if isinstance(name, str):
        method = next(iter(handler.http_methods))
        return described(name, tuple(handler.resolve_tags()), str(method))
    paths = frozenset(handler.paths)
    if handler.http_methods == {"OPTIONS"}:
        return Operation(name="options", scope=None, is_public=True)
    return _page(paths)


@lru_cache(maxsize=1024)
def described(name: str, tags: tuple[str, ...], method: str) -> Operation:
    """The operation of that name."""
    if name in PUBLIC:
        return Operation(name=name, scope=None, is_public=True)
    if name in ANY_PRINCIPAL:
        return Operation(name=name, scope=None)
    action = Action.READ if method == "GET" or name in READING else Action.WRITE
    tag = tags[0].replace(" ", "-") if tags else EVERYTHING
    return Operation(name=name, scope=Scope(tag, action))


@lru_cache(maxsize=64)
def _page(paths: frozenset[str]) -> Operation:
    name = min(paths, default="")
    if paths and paths <= PUBLIC_PATHS:
        return Operation(name=name, scope=None, is_public=True)
    return Operation(name=name, scope=BY_PATH.get(name, FULL))
