"""The embedding model that runs here, offline: all-MiniLM-L6-v2 on CTranslate2, with its tokenizer."""
