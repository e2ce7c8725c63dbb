"""Servers that run models behind an address: the wire of OpenAI, and the rerankers of Cohere, Jina and TEI."""
