"""Encryption of what is stored, with the ``cryptography`` library."""
