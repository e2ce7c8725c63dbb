"""Factflow turns documents into cited answers, and shows for every answer how it came to be."""

__version__ = "0.1.0"
