"""What can go wrong with the models that retrieval asks."""

from __future__ import annotations

from domain.errors import Invalid, Unavailable


class RerankerUnavailable(Unavailable):
    """The reranker did not answer, or not so that it can be used."""

    code = "reranker_unavailable"


class RerankerRefused(Unavailable):
    """The reranker refused the request; its settings need a look."""

    code = "reranker_refused"


class RerankerNotConfigured(Invalid):
    """There is no reranker here; ask without."""

    code = "reranker_not_configured"


class EmbeddingModelUnavailable(Unavailable):
    """The embedding model did not answer, or not so that it can be used."""

    code = "embedding_model_unavailable"


class EmbeddingModelRefused(Unavailable):
    """The embedding model refused the request; its settings need a look."""

    code = "embedding_model_refused"


class EmbeddingInputRefused(Invalid):
    """The embedding model does not take a text that it was given, such as one that is too long for it."""

    code = "embedding_input_refused"
