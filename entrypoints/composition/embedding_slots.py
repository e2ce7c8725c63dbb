"""Which embedding models the settings ask for, and the reranker."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self, TypeAlias

from adapters.model_servers.embeddings import OpenAiEmbeddingModel
from adapters.model_servers.reranker import HttpReranker
from adapters.model_servers.reranker_wire import Dialect
from adapters.models.minilm import MiniLmEmbeddingModel
from adapters.models.tokenizer import MiniLmTokenizer
from application.embedding_models import EmbeddingModels
from application.ports.embedding_model import EmbeddingModel
from entrypoints.data_folder import DataFolder
from entrypoints.embedding_slot import BUILT_IN, EmbeddingSlot
from entrypoints.setting_problems import InvalidSettings, SettingProblem
from entrypoints.settings import Settings, variable

Model: TypeAlias = MiniLmEmbeddingModel | OpenAiEmbeddingModel


class FurtherModels:
    """The models of the slots besides the server's own, opened and closed together."""

    def __init__(self, models: Sequence[Model] = ()) -> None:
        self.models = models
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            for model in self.models:
                await stack.enter_async_context(model)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._stack.aclose()


def own(settings: Settings, folder: DataFolder, tokenizer: MiniLmTokenizer) -> Model:
    """The model of the slot that is meant where none is named; raises InvalidSettings where there is no such slot."""
    name = settings.embedding_model
    if name == BUILT_IN:
        return _built_in(settings, folder, tokenizer)
    for slot in settings.embedding_slots:
        if slot.model_name == name:
            return _of_slot(slot)
    names = ", ".join([BUILT_IN, *(slot.model_name for slot in settings.embedding_slots)])
    problem = SettingProblem(
        name="embedding_model",
        value=ascii(name),
        allowed=f"the name of a slot: {names}",
        source=variable("embedding_model"),
    )
    raise InvalidSettings([problem])


def further(settings: Settings, folder: DataFolder, tokenizer: MiniLmTokenizer) -> FurtherModels:
    """The models of all slots but that one."""
    name = settings.embedding_model
    built_in = [] if name == BUILT_IN else [_built_in(settings, folder, tokenizer)]
    others = [_of_slot(slot) for slot in settings.embedding_slots if slot.model_name != name]
    return FurtherModels([*built_in, *others])


def together(own: EmbeddingModel, further: FurtherModels) -> EmbeddingModels:
    """All of them by their slots."""
    return EmbeddingModels(own=own, others=further.models)


def reranker(settings: Settings) -> HttpReranker | None:
    """The service of the settings, if there is one."""
    if settings.rerank_url is None:
        return None
    return HttpReranker(
        settings.rerank_url,
        dialect=Dialect(settings.rerank_dialect),
        model=settings.rerank_model,
        api_key=settings.rerank_api_key,
        timeout=settings.rerank_timeout_seconds,
    )


def _built_in(settings: Settings, folder: DataFolder, tokenizer: MiniLmTokenizer) -> MiniLmEmbeddingModel:
    return MiniLmEmbeddingModel(
        settings.models_dir or folder.folder("models"),
        compute_type=settings.model_compute_type,
        threads=settings.model_threads,
        tokenizer=tokenizer,
    )


def _of_slot(slot: EmbeddingSlot) -> OpenAiEmbeddingModel:
    return OpenAiEmbeddingModel(
        slot.base_url,
        model=slot.model or slot.model_name,
        dimension=slot.dimension,
        model_name=slot.model_name,
        api_key=slot.api_key,
        default_threshold=slot.default_threshold,
        timeout=slot.timeout_seconds,
        attempts=slot.attempts,
        batch=slot.batch,
        max_characters=slot.max_characters,
    )
