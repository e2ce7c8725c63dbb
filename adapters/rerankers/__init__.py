"""Rerankers behind HTTP: Cohere, Jina, Text Embeddings Inference, and whatever answers as they do."""
