"""What can be set of webhooks, and the key that seals their secrets."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from entrypoints.composition.webhooks import KEY_FILE, WebhookKeyMissing, sealer, sender
from entrypoints.data_folder import DataFolder
from entrypoints.setting_problems import InvalidSettings
from entrypoints.settings import Settings

KEY, OTHER = "k" * 32, "o" * 40


def settings(**values: str) -> Settings:
    """Settings from variables."""
    return Settings.read({f"FACTFLOW_WEBHOOK_{name.upper()}": value for name, value in values.items()})


def test_what_is_stated_is_read() -> None:
    """Lists by commas."""
    given = settings(
        key=f"{KEY}, {OTHER}", allow_http="1", allowed_networks="10.1.0.0/16,fd00::/8", retry_seconds="1, 2.5"
    )
    assert given.webhook_key == (KEY, OTHER)
    assert given.webhook_retry_seconds == (1.0, 2.5)
    assert list(map(str, given.webhook_allowed_networks)) == ["10.1.0.0/16", "fd00::/8"]
    assert KEY not in repr(given)
    sender(given).examine("http://10.1.2.3/hook")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("key", "short"),
        ("key", f"{KEY},"),
        ("allowed_networks", "10.1.2.3/16"),
        ("allowed_networks", "example.org"),
        ("retry_seconds", "60,soon"),
        ("retry_seconds", "0"),
        ("retry_seconds", ",".join(["60"] * 21)),
        ("disable_after_hours", "0"),
    ],
)
def test_what_cannot_be_is_refused(name: str, value: str) -> None:
    """And a key is not shown in the refusal."""
    with pytest.raises(InvalidSettings) as refused:
        settings(**{name: value})
    assert name == "key" or value in str(refused.value)
    assert name != "key" or value not in str(refused.value)


def test_a_server_alone_keeps_a_key_of_its_own(tmp_path: Path) -> None:
    """The same one the next time, for its owner alone to read."""
    first, again = (sealer(Settings(), DataFolder(tmp_path)) for _ in range(2))
    assert again.unseal(first.seal(b"secret", context=b""), context=b"") == b"secret"
    assert stat.S_IMODE((tmp_path / KEY_FILE).stat().st_mode) == 0o600


def test_processes_that_share_a_queue_must_be_given_one_key(tmp_path: Path) -> None:
    """Or one could not read what another has kept."""
    shared = Settings(queue_url="amqp://localhost")
    with pytest.raises(WebhookKeyMissing):
        sealer(shared, DataFolder(tmp_path)).seal(b"secret", context=b"")
    keyed = Settings(queue_url="amqp://localhost", webhook_key=(KEY,))
    sealer(keyed, DataFolder(tmp_path)).seal(b"secret", context=b"")
    assert not (tmp_path / KEY_FILE).exists()
