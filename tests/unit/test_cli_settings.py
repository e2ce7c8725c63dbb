"""The server's settings: where each comes from, and what is said of a bad one."""

import contextlib
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrypoints.setting_problems import InvalidSettings
from entrypoints.settings import Settings, unknown_variables, usable_cores, variable


def problems_of(environment: dict[str, str], flags: dict[str, str | None] | None = None) -> list[str]:
    with pytest.raises(InvalidSettings) as caught:
        Settings.read(environment, flags)
    return [str(problem) for problem in caught.value.problems]


def test_an_empty_environment_gives_the_defaults() -> None:
    """What a person gets who sets nothing."""
    assert Settings.read({}) == Settings()
    assert Settings().model_threads == usable_cores() >= 1


def test_a_flag_goes_before_the_variable() -> None:
    """The nearer word counts."""
    settings = Settings.read(
        {"FACTFLOW_PORT": "9000", "FACTFLOW_HOST": "::1"}, {"port": "9001", "host": None}
    )
    assert (settings.port, settings.host) == (9001, "::1")


def test_an_empty_variable_counts_as_unset() -> None:
    """Shells and compose files write empty variables for what is not there."""
    assert Settings.read({"FACTFLOW_DOCS": "", "FACTFLOW_PORT": "  "}) == Settings()


def test_everything_wrong_is_said_at_once() -> None:
    """Name, value, what is allowed and where it came from, for each."""
    told = problems_of({"FACTFLOW_PORT": "80000", "FACTFLOW_LOG_FORMAT": "xml"}, {"docs": ""})
    assert told == [
        "FACTFLOW_PORT is '80000', and must be a whole number from 0 to 65535",
        "--docs is '', and must be a path",
        "FACTFLOW_LOG_FORMAT is 'xml', and must be one of text, json",
    ]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("port", "8_000"), ("port", "٨٠٨٠"), ("port", "-1"), ("port", "1" * 5000), ("port", "80.0"),
        ("host", "1.2.3"), ("host", "http://localhost"), ("host", "localhost:80"), ("host", "a b"), ("host", "[::1"),
        ("group_commit_ms", "nan"), ("group_commit_ms", "inf"), ("group_commit_ms", "1e309"), ("group_commit_ms", "."),
        ("llm_base_url", "localhost:11434/v1"), ("llm_base_url", "http://"), ("llm_base_url", "http://h:99999/"),
        ("llm_base_url", "http://[::1/"), ("llm_base_url", "ftp://h/"), ("data_dir", "a\x00b"),
        ("database_url", "mysql://h/d"), ("config_validator_strict", "maybe"), ("llm_api_key", "sk\r\nX: y"),
    ],
)  # fmt: skip
def test_a_value_that_cannot_be_used_is_a_problem(name: str, value: str) -> None:
    """Hostile and mistyped values, none of which may become a traceback."""
    assert len(problems_of({variable(name): value})) == 1


@given(st.text(max_size=30), st.sampled_from([item.name for item in fields(Settings)]))
def test_no_text_whatever_breaks_the_reading(text: str, name: str) -> None:
    """Every text is either a value or a problem."""
    with contextlib.suppress(InvalidSettings):
        Settings.read({variable(name): text})


@given(st.integers(min_value=0, max_value=65_535))
def test_every_port_is_read_as_it_is_written(port: int) -> None:
    """Digits in, number out."""
    assert Settings.read({"FACTFLOW_PORT": str(port)}).port == port


@pytest.mark.parametrize(("text", "meant"), [("0", False), ("OFF", False), ("1", True), ("Yes", True)])
def test_a_switch_is_read_in_any_case(text: str, meant: bool) -> None:
    """`FACTFLOW_CONFIG_VALIDATOR_STRICT=0` is the documented spelling."""
    assert Settings.read({"FACTFLOW_CONFIG_VALIDATOR_STRICT": text}).config_validator_strict is meant


def test_secrets_are_never_shown() -> None:
    """Neither in a settings' own text nor in an error."""
    environment = {"FACTFLOW_LLM_API_KEY": "sk-hush", "FACTFLOW_DATABASE_URL": "postgresql://me:hush@db/f"}
    assert "hush" not in repr(Settings.read(environment))
    bad = {
        "FACTFLOW_LLM_API_KEY": "hush\n2",
        "FACTFLOW_DATABASE_URL": "hush",
        "FACTFLOW_LLM_BASE_URL": "http://me:hush@llm/v1",
    }
    assert "hush" not in " ".join(problems_of(bad))


def test_a_mistyped_variable_is_pointed_out() -> None:
    """And those that the command line itself reads are not."""
    assert unknown_variables(
        {"FACTFLOW_PROT": "1", "FACTFLOW_URL": "x", "HOME": "/", "FACTFLOW_ZZZ": ""}
    ) == (
        "nothing reads FACTFLOW_PROT; did you mean FACTFLOW_PORT?",
        "nothing reads FACTFLOW_ZZZ",
    )


def test_a_folder_is_made_absolute_and_a_tilde_is_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    """A message about a folder then says which one."""
    monkeypatch.setenv("HOME", "/home/somebody")
    settings = Settings.read({"FACTFLOW_DATA_DIR": "~/data", "FACTFLOW_DOCS": "papers"})
    assert (settings.data_dir, settings.docs) == (Path("/home/somebody/data"), Path.cwd() / "papers")
