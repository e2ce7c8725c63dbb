"""The arithmetic of retrieval: words, BM25 and the fusion of two ranked sides."""
