"""Where keys lie in a bucket, and how a list of them is asked for; nothing here needs a server."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from adapters.s3.keys import Keys
from domain.storage import MAX_KEY_BYTES, SIDECAR_SUFFIX, InvalidKey, require_valid_key

TEXTS = st.text(alphabet="aé/-.~\x00\ud800\ue000\U0010ffff", max_size=6)


def is_key(text: str) -> bool:
    try:
        return require_valid_key(text) == text
    except InvalidKey:
        return False


@given(
    keys=st.lists(TEXTS.filter(is_key), max_size=8),
    prefix=TEXTS,
    after=TEXTS,
    below=st.sampled_from(["", "é/a-b"]),
)
def test_what_the_server_is_asked_for_holds_what_is_wanted(
    keys: list[str], prefix: str, after: str, below: str
) -> None:
    """And a start is named only under the prefix: servers are known that list nothing after one that is not."""
    places = Keys(below)
    wanted = {key for key in keys if key.startswith(prefix) and key > after}
    start = places.start(prefix, after)
    if start is None:
        assert wanted == set()
        return
    asked_prefix, asked_after = start
    answered = {
        full for key in keys if (full := places.full(key)).startswith(asked_prefix) and full > asked_after
    }
    assert wanted <= {places.key(full) for full in answered}
    assert not asked_after or asked_after.startswith(asked_prefix)
    assert "\ud800" not in asked_prefix + asked_after


@given(
    parts=st.lists(st.sampled_from(["a", "é" * 100, "~" * 199, "日本語", "🎈" * 50]), min_size=1, max_size=8),
    below=st.sampled_from(["", "é/a-b"]),
)
def test_a_sidecar_fits_and_is_no_key(parts: list[str], below: str) -> None:
    """However long the key of its object."""
    places, key = Keys(below), "/".join(parts)
    if len(f"{below}/{key}".encode()) > MAX_KEY_BYTES:
        return
    sidecar = places.sidecar(key, "0" * 32)
    assert len(sidecar.encode()) <= MAX_KEY_BYTES
    assert sidecar.endswith(SIDECAR_SUFFIX)
    assert places.key(sidecar) is None
    assert places.key(places.full(key)) == key
