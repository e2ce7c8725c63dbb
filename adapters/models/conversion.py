"""Brings the packaged weights (safetensors, 91 MB) into the form CTranslate2 runs, without torch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Tensor = Callable[[str], NDArray[np.float32]]

LAYERS = 6
HEADS = 12
LAYER_NORM_EPSILON = 1e-12


def convert(weights: Path, vocabulary: Path, target: Path, quantization: str) -> None:
    """Write a CTranslate2 model folder; ``quantization`` is ``int8`` or ``float32``.

    The mapping of names is that of a BERT encoder: post-norm, GELU, word and type embeddings added to positions,
    and a layer norm over their sum. Raises what safetensors and CTranslate2 raise.
    """
    from safetensors import safe_open  # noqa: PLC0415 - needed once in the life of an installation

    with safe_open(weights, framework="numpy") as opened:
        spec = _encoder(opened.get_tensor)
    spec.register_vocabulary(vocabulary.read_text(encoding="utf-8").splitlines())
    spec.config.unk_token = "[UNK]"  # noqa: S105 - a word piece
    spec.config.layer_norm_epsilon = LAYER_NORM_EPSILON
    spec.validate()
    spec.optimize(quantization=quantization)
    target.mkdir()
    spec.save(str(target))


def _encoder(tensor: Tensor) -> Any:
    from ctranslate2.specs import common_spec, transformer_spec  # noqa: PLC0415 - as above

    encoder = transformer_spec.TransformerEncoderSpec(
        LAYERS,
        HEADS,
        pre_norm=False,
        activation=common_spec.Activation.GELU,
        layernorm_embedding=True,
        num_source_embeddings=2,
        embeddings_merge=common_spec.EmbeddingsMerge.ADD,
    )
    encoder.scale_embeddings = False
    encoder.embeddings[0].weight = tensor("embeddings.word_embeddings.weight")
    encoder.embeddings[1].weight = tensor("embeddings.token_type_embeddings.weight")
    encoder.position_encodings.encodings = tensor("embeddings.position_embeddings.weight")
    _layer_norm(encoder.layernorm_embedding, tensor, "embeddings.LayerNorm")
    for index, layer in enumerate(encoder.layer):
        _layer(layer, tensor, f"encoder.layer.{index}")
    return transformer_spec.TransformerEncoderModelSpec(encoder)


def _layer(layer: Any, tensor: Tensor, prefix: str) -> None:
    attention = layer.self_attention
    parts = [f"{prefix}.attention.self.{name}" for name in ("query", "key", "value")]
    attention.linear[0].weight = np.concatenate([tensor(f"{part}.weight") for part in parts])
    attention.linear[0].bias = np.concatenate([tensor(f"{part}.bias") for part in parts])
    _linear(attention.linear[1], tensor, f"{prefix}.attention.output.dense")
    _layer_norm(attention.layer_norm, tensor, f"{prefix}.attention.output.LayerNorm")
    _linear(layer.ffn.linear_0, tensor, f"{prefix}.intermediate.dense")
    _linear(layer.ffn.linear_1, tensor, f"{prefix}.output.dense")
    _layer_norm(layer.ffn.layer_norm, tensor, f"{prefix}.output.LayerNorm")


def _linear(spec: Any, tensor: Tensor, name: str) -> None:
    spec.weight = tensor(f"{name}.weight")
    spec.bias = tensor(f"{name}.bias")


def _layer_norm(spec: Any, tensor: Tensor, name: str) -> None:
    spec.gamma = tensor(f"{name}.weight")
    spec.beta = tensor(f"{name}.bias")
