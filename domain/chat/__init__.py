"""Answers from numbered sources: the prompt, the markers in an answer, and answers made of the sources' own sentences."""
