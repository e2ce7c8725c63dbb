"""What programs read, as YAML."""

from __future__ import annotations

import json

from adapters.yaml.writer import yaml_text


def yaml_of(content: bytes) -> bytes:
    """JSON as a YAML document."""
    return yaml_text(json.loads(content)).encode()
