"""Whether the language model's endpoint answers."""

from __future__ import annotations

import asyncio

from entrypoints.cli.machine import Check, State
from entrypoints.settings import Settings

PATIENCE_SECONDS = 5.0
NAME = "language model"


def language_model(settings: Settings) -> Check:
    """Asks the endpoint for its models, and believes any answer but a refused key."""
    if settings.llm_base_url is None:
        return Check(NAME, State.OK, "none set: answers are extracts", "FACTFLOW_LLM_BASE_URL sets one")
    try:
        status = asyncio.run(_status(settings.llm_base_url, settings.llm_api_key))
    except Exception as error:  # noqa: BLE001  # whatever keeps it from answering is the finding
        reason = str(error) or type(error).__name__
        return Check(
            NAME,
            State.FAILED,
            f"{settings.llm_base_url}: {reason}",
            "check FACTFLOW_LLM_BASE_URL, or unset it",
        )
    if status in {401, 403}:
        return Check(
            NAME, State.FAILED, f"{settings.llm_base_url} refuses the key", "check FACTFLOW_LLM_API_KEY"
        )
    if status >= 500:
        return Check(NAME, State.FAILED, f"{settings.llm_base_url} answers with status {status}")
    return Check(NAME, State.OK, f"{settings.llm_base_url} answers; model {settings.llm_model}")


async def _status(base_url: str, api_key: str | None) -> int:
    import aiohttp

    headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
    patience = aiohttp.ClientTimeout(total=PATIENCE_SECONDS)
    async with (
        aiohttp.ClientSession(timeout=patience, headers=headers) as session,
        session.get(base_url.rstrip("/") + "/models", allow_redirects=False) as response,
    ):
        return response.status
