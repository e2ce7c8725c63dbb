"""Haystack 2 with sentence-transformers and pgvector over a folder of text files.

Run by the peers' Python, without anything of ours: `haystack_peer.py FOLDER DATABASE_URL MODEL_FOLDER`.
Prints one JSON object. Imports and loading the model are not in the time.
"""

# What it imports is installed where it runs.
# mypy: disable-error-code="import-not-found"

from __future__ import annotations

import json
import sys
import time
from importlib.metadata import version
from pathlib import Path

from haystack import Document, Pipeline
from haystack.components.converters import TextFileToDocument
from haystack.components.embedders import SentenceTransformersDocumentEmbedder
from haystack.components.preprocessors import DocumentSplitter
from haystack.components.writers import DocumentWriter
from haystack.utils import Secret
from haystack_integrations.document_stores.pgvector import PgvectorDocumentStore
from transformers import AutoTokenizer

DIMENSION = 384
MODEL_TOKENS = 256


def main() -> None:
    folder, url, model = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    store = PgvectorDocumentStore(
        connection_string=Secret.from_token(url), embedding_dimension=DIMENSION, recreate_table=True
    )
    store.count_documents()  # opens the connection and makes the table
    embedder = SentenceTransformersDocumentEmbedder(model=model, progress_bar=False, local_files_only=True)
    embedder.warm_up()
    embedder.run(documents=[Document(content="warm up")])
    pipeline = Pipeline()
    pipeline.add_component("read", TextFileToDocument())
    pipeline.add_component("split", DocumentSplitter())  # the default: 200 words
    pipeline.add_component("embed", embedder)
    pipeline.add_component("write", DocumentWriter(document_store=store))
    pipeline.connect("read", "split")
    pipeline.connect("split", "embed")
    pipeline.connect("embed", "write")
    files = sorted(folder.iterdir())
    own, started = time.process_time(), time.perf_counter()
    pipeline.run({"read": {"sources": files}})
    seconds, cpu = time.perf_counter() - started, time.process_time() - own
    print(
        json.dumps(
            {
                "documents": len(files),
                "segments": store.count_documents(),
                "tokens": _tokens(store, model),
                "seconds": seconds,
                "cpu": cpu,
                "versions": {
                    name: version(name) for name in ("haystack-ai", "sentence-transformers", "torch")
                },
            }
        )
    )


def _tokens(store: PgvectorDocumentStore, model: str) -> int:
    """The word pieces that the model read."""
    tokenizer = AutoTokenizer.from_pretrained(model, local_files_only=True)
    texts = [document.content or "" for document in store.filter_documents()]
    encoded = tokenizer(texts, truncation=True, max_length=MODEL_TOKENS)["input_ids"]
    return sum(map(len, encoded))


main()
