"""Writes plain values as YAML."""

from __future__ import annotations

import yaml


def yaml_text(value: object) -> str:
    """A document of its own, its keys in the order they have; what JSON can say is read back as it was."""
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True, explicit_start=True)
