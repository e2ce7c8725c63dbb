"""Profiles of the command line: which one counts, what goes before it, and what is said of a bad file."""

from pathlib import Path

import pytest

from entrypoints.cli.profiles import ConfigFileBroken, Profile, UnknownProfile, config_file, profile_of
from entrypoints.cli.session import Session

FILE = """
profile = "home"
[profiles.home]
url = "http://home:1"
api_key = "of-home"
[profiles.work]
url = "https://work"
timeout = "10m"
output = "yaml"
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """In which the file of profiles is."""
    environment = {"XDG_CONFIG_HOME": str(tmp_path)}
    path = config_file(environment)
    path.parent.mkdir()
    path.write_text(FILE, encoding="utf-8")
    path.chmod(0o600)
    return environment


def settled(environment: dict[str, str], **options: str) -> Session:
    session = Session(**options)  # type: ignore[arg-type]
    session.settle(environment)
    return session


def test_a_profile_fills_in_what_nobody_says(environment: dict[str, str]) -> None:
    """The file's own one, unless another is asked for; options and variables go before it."""
    home, work = settled(environment), settled(environment, profile="work", output="json")
    assert (home.url, home.api_key, home.output) == ("http://home:1", "of-home", None)
    assert (work.url, work.api_key, work.timeout_seconds, work.output) == ("https://work", None, 600, "json")
    assert settled(environment, api_key="other").api_key == "other"


@pytest.mark.parametrize(("url", "key"), [("http://elsewhere", None), ("home:1/", "of-home")])
def test_the_key_of_a_profile_goes_to_its_own_server_alone(
    url: str, key: str | None, environment: dict[str, str]
) -> None:
    assert settled(environment, url=url).api_key == key


def test_the_key_of_a_profile_without_a_server_goes_to_this_machine_alone(tmp_path: Path) -> None:
    environment = {"XDG_CONFIG_HOME": str(tmp_path)}
    file = tmp_path / "factflow" / "config.toml"
    file.parent.mkdir()
    file.write_text('profile = "here"\n[profiles.here]\napi_key = "of-here"\n', encoding="utf-8")
    file.chmod(0o600)
    assert settled(environment).api_key == "of-here"
    assert settled(environment, url="http://elsewhere").api_key is None


def test_without_a_file_there_are_the_defaults(tmp_path: Path) -> None:
    """And a profile that is asked for is missed."""
    environment = {"XDG_CONFIG_HOME": str(tmp_path)}
    assert settled(environment).url == "http://127.0.0.1:8000"
    with pytest.raises(UnknownProfile, match="has no profile 'work'"):
        settled(environment, profile="work")


def test_a_relative_folder_of_configs_is_none() -> None:
    """As the XDG specification has it."""
    assert config_file({"XDG_CONFIG_HOME": "there"}) == Path("~/.config/factflow/config.toml").expanduser()


@pytest.mark.parametrize("is_open", [True, False])
def test_a_key_that_others_can_read_is_pointed_out(
    is_open: bool, environment: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    config_file(environment).chmod(0o640 if is_open else 0o600)
    settled(environment)
    assert ("chmod 600" in capsys.readouterr().err) == is_open


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("profile = ", "cannot be read"),
        ("url = 'http://h'", "states 'url'"),
        ("profile = 3", "`profile` is the name of one"),
        ("profiles = 3", "profiles is a table"),
        ("[profiles]\na = 3", "is a table [profiles.a]"),
        ("[profiles.a]\nulr = 'h'", "did you mean url?"),
        ("[profiles.a]\nurl = 3", "url of profile 'a' is a text"),
        ("[profiles.a]\noutput = 'xml'", "one of table, json, yaml"),
        ("[profiles.a]\ntimeout = 'soon'", "a duration such as"),
    ],
)
def test_a_broken_file_is_told(text: str, told: str, tmp_path: Path) -> None:
    """Whichever profile is meant, with the file's name."""
    path = tmp_path / "config.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigFileBroken) as caught:
        profile_of(path, None)
    assert told in caught.value.message
    assert str(path) in caught.value.message


def test_an_unknown_profile_is_told_with_those_that_are_near(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("[profiles.work]\n", encoding="utf-8")
    assert profile_of(path, "work") == Profile()
    with pytest.raises(UnknownProfile) as caught:
        profile_of(path, "wrok")
    assert caught.value.__notes__ == ["there is: work"]
