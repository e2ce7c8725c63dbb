"""The pipelines that come with the server: validated at every start, then stored."""

from __future__ import annotations

import logging
from importlib.resources import files

from application.config_check import CheckedConfig
from application.shipped_configs import ShippedConfigs
from domain.errors import Invalid
from domain.findings import ConfigNotRunnable, UnparseableConfig

log = logging.getLogger(__name__)

PACKAGE = "entrypoints.pipelines"


class ShippedPipelineInvalid(Invalid):
    """A pipeline that comes with the server has errors."""

    code = "shipped_pipeline_invalid"


async def import_shipped(configs: ShippedConfigs, *, strict: bool) -> None:
    """Store every shipped pipeline; one with errors raises ShippedPipelineInvalid when strict, else is warned of."""
    for file in sorted(files(PACKAGE).iterdir(), key=lambda file: file.name):
        if not file.name.endswith(".yaml"):
            continue
        try:
            checked = await configs.import_shipped(
                file.name.removesuffix(".yaml"), file.read_text(encoding="utf-8"), f"pipelines/{file.name}"
            )
            _require_runnable(checked)
        except (UnparseableConfig, ConfigNotRunnable) as error:
            message = f"the shipped pipeline {file.name} has errors: {error.message}"
            if strict:
                raise ShippedPipelineInvalid(
                    f"{message}; FACTFLOW_CONFIG_VALIDATOR_STRICT=0 starts without it"
                ) from error
            log.warning(message)


def _require_runnable(checked: CheckedConfig) -> None:
    if not checked.report.is_valid:
        raise ConfigNotRunnable(checked.report)
