"""What a search is asked, within its bounds."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from application.ports.segment_index import LEAST_LOOK
from domain.errors import Invalid
from domain.match import SearchFilter, SearchMode
from domain.retrieval.fusion import RRF_K, Fusion

MAX_QUERY_CHARACTERS = 10_000
MAX_LIMIT = 1000
MAX_DEPTH = 10_000
"""How far down a ranking one can page: offset and limit together."""

# Chosen by measurement: docs/explanation/retrieval.md.
DEFAULT_FUSION = Fusion.LINEAR
DEFAULT_WEIGHTS: Mapping[str, float] = {SearchMode.SEMANTIC.value: 0.69, SearchMode.KEYWORD.value: 0.31}
DEFAULT_CANDIDATES = 300

MAX_SLOTS = 10
MAX_RERANKED = 200
DEFAULT_RERANKED = 50
DIVERSIFIED = 100
"""How many of the best a search for diverse matches chooses from, and so how far down one can page."""

_UNREADABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


class InvalidSearch(Invalid):
    """The search request is not valid."""

    code = "search_invalid"


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchRequest:
    """What is looked for, and how.

    ``similarity_threshold`` drops what is less similar (cosine) on the semantic side; None drops nothing.
    ``weights``, ``fusion``, ``rrf_k`` and ``candidates`` (of each side, at least) matter to hybrid search only; a side
    that ``weights`` does not name keeps its default.
    ``model_name`` names the embedding slot, None the model's own; ``model_names`` several at once, which a semantic
    search fuses like the sides of a hybrid one, each with its weight of ``model_weights``, else 1.
    ``is_reranked`` has a reranker order the best ``reranked`` anew. ``mmr_lambda`` picks matches that are unlike each
    other: 1 is the ranking as it is, 0 nothing but variety. ``is_highlighted`` says where matches hold the query's
    words; None does where words were searched.
    Raises InvalidSearch.
    """

    query: str
    mode: SearchMode = SearchMode.HYBRID
    limit: int = 10
    offset: int = 0
    where: SearchFilter = field(default_factory=SearchFilter)
    similarity_threshold: float | None = None
    weights: Mapping[str, float] = field(default_factory=lambda: DEFAULT_WEIGHTS)
    fusion: Fusion = DEFAULT_FUSION
    rrf_k: float = RRF_K
    candidates: int = DEFAULT_CANDIDATES
    model_name: str | None = None
    model_names: Sequence[str] = ()
    model_weights: Mapping[str, float] = field(default_factory=dict)
    is_reranked: bool = False
    reranked: int = DEFAULT_RERANKED
    mmr_lambda: float | None = None
    is_highlighted: bool | None = False

    def __post_init__(self) -> None:
        self._require_valid_query()
        self._require_valid_page()
        self._require_valid_slots()
        threshold = self.similarity_threshold
        if threshold is not None and not -1.0 <= threshold <= 1.0:
            raise InvalidSearch("the similarity threshold is a number from -1 to 1")
        _require_valid_weights(self.weights)
        if not (math.isfinite(self.rrf_k) and self.rrf_k >= 0):
            raise InvalidSearch("the constant of reciprocal rank fusion is a finite number from 0 up")

    def _require_valid_query(self) -> None:
        if not self.text:
            raise InvalidSearch("the query is empty")
        if len(self.query) > MAX_QUERY_CHARACTERS:
            raise InvalidSearch(f"the query is longer than {MAX_QUERY_CHARACTERS} characters")

    def _require_valid_page(self) -> None:
        # One more than can be shown tells whether there is more.
        if not 1 <= self.limit <= MAX_LIMIT + 1:
            raise InvalidSearch(f"the limit is a number from 1 to {MAX_LIMIT}")
        if not 0 <= self.offset <= MAX_DEPTH - self.limit:
            raise InvalidSearch(f"the offset is a number from 0, at most {MAX_DEPTH} together with the limit")
        if not 1 <= self.candidates <= MAX_LIMIT:
            raise InvalidSearch(f"the number of candidates is from 1 to {MAX_LIMIT}")
        if not 1 <= self.reranked <= MAX_RERANKED:
            raise InvalidSearch(f"the number of matches to rerank is from 1 to {MAX_RERANKED}")
        if self.mmr_lambda is not None and not 0.0 <= self.mmr_lambda <= 1.0:
            raise InvalidSearch("lambda, the balance of relevance and diversity, is a number from 0 to 1")

    def _require_valid_slots(self) -> None:
        if not self.model_names:
            return
        if self.mode is not SearchMode.SEMANTIC or self.model_name is not None:
            raise InvalidSearch(
                "several embedding slots can be named for a semantic search alone, and no other"
            )
        if len(set(self.model_names)) < len(self.model_names) or len(self.model_names) > MAX_SLOTS:
            raise InvalidSearch(f"the embedding slots are up to {MAX_SLOTS} different ones")
        if unknown := sorted(set(self.model_weights) - set(self.model_names)):
            raise InvalidSearch(f"there are weights for slots that are not searched: {', '.join(unknown)}")
        given = [self.model_weights.get(name, 1.0) for name in self.model_names]
        if any(not (math.isfinite(weight) and weight >= 0) for weight in given) or not any(given):
            raise InvalidSearch("a weight is a finite number from 0 up, and at least one is above 0")

    @property
    def text(self) -> str:
        """The query without what no model and no database reads: control characters and lone surrogates."""
        return _UNREADABLE.sub(" ", self.query).strip()

    @property
    def depth(self) -> int:
        """How many of the best must be known to cut the page out of."""
        return self.offset + self.limit

    @property
    def most_ranked(self) -> int:
        """How many of the best any stage of the search looks at."""
        return max(self.depth, self._second_stage)

    @property
    def is_fused(self) -> bool:
        """Whether one ranking is made of several."""
        return self.mode is SearchMode.HYBRID or bool(self.model_names)

    @property
    def looks(self) -> Sequence[int]:
        """How many of each side are looked at: first, then twice as many, and so on until the page is reached.

        The first are the same whatever page is asked for, and the farthest page takes fifteen.
        """
        first = max(self.candidates if self.is_fused else LEAST_LOOK, self._second_stage)
        times = max(0, (-(-self.most_ranked // first) - 1).bit_length())
        return [first << doubled for doubled in range(times + 1)]

    @property
    def _second_stage(self) -> int:
        reranked = self.reranked if self.is_reranked else 0
        diversified = DIVERSIFIED if self.mmr_lambda is not None else 0
        return max(reranked, diversified)


def _require_valid_weights(weights: Mapping[str, float]) -> None:
    if unknown := sorted(set(weights) - set(DEFAULT_WEIGHTS)):
        raise InvalidSearch(f"there are weights for semantic and keyword, not for {', '.join(unknown)}")
    if any(not (math.isfinite(weight) and weight >= 0) for weight in weights.values()):
        raise InvalidSearch("a weight is a finite number from 0 up")
    if not any({**DEFAULT_WEIGHTS, **weights}.values()):
        raise InvalidSearch("at least one side has a weight above 0")
