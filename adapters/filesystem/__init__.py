"""Stored objects as plain files under one folder."""
