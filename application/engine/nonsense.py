"""Tells a pipeline adapter's makers in plain words what it returned wrongly."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping

from application.ports.pipeline_adapter import AdapterResult, Emission
from domain.errors import Invalid


class AdapterResultInvalid(Invalid):
    """A pipeline adapter returned what is neither None nor an AdapterResult with a message."""

    code = "pipeline_adapter_result_invalid"


class EmissionInvalid(Invalid):
    """A pipeline adapter emitted what is not an Emission."""

    code = "emission_invalid"


def require_result(result: object, adapter_type: str) -> None:
    """Raise AdapterResultInvalid for what ``process`` must not return; None is checked by the caller."""
    who = f"the pipeline adapter {adapter_type}"
    if not isinstance(result, AdapterResult):
        raise AdapterResultInvalid(f"{who} returned {_kind(result)} in place of an AdapterResult or None")
    message, metadata, stage = _parts(result)
    if not _is_mapping(message):
        raise AdapterResultInvalid(f"{who} returned {_kind(message)} as its message, not a mapping")
    if not _is_mapping(metadata):
        raise AdapterResultInvalid(f"{who} returned {_kind(metadata)} as metadata, not a mapping")
    if not (stage is None or isinstance(stage, str)):
        raise AdapterResultInvalid(f"{who} returned {_kind(stage)} as its stage, not a name")
    emitted: object = result.emitted
    if emitted is None or isinstance(emitted, AsyncIterator):
        return
    if isinstance(emitted, str | bytes | Mapping) or not isinstance(emitted, Iterable):
        raise AdapterResultInvalid(f"{who} emitted {_kind(emitted)}, not a sequence or an async iterator")


def require_emission(emission: object) -> None:
    """Raise EmissionInvalid for what is not an Emission of a payload under a key."""
    if not isinstance(emission, Emission):
        raise EmissionInvalid(f"{_kind(emission)} was emitted in place of an Emission")
    if not (_is_mapping(emission.payload) and _is_mapping(emission.metadata)):
        raise EmissionInvalid("an emission's payload and metadata must be mappings")
    key: object = emission.key
    if not (key is None or isinstance(key, str)):
        raise EmissionInvalid(f"an emission has {_kind(key)} as its key, not a text")


def _parts(result: AdapterResult) -> tuple[object, object, object]:
    """What a result says it is made of, taken at its word by nobody here."""
    return result.message, result.metadata, result.stage


def _is_mapping(value: object) -> bool:
    # Nearly always a dict, and to ask that first costs a tenth of asking the abstract class.
    return type(value) is dict or isinstance(value, Mapping)


def _kind(value: object) -> str:
    return type(value).__name__
