"""Profiles: what a person would otherwise say with every command, in a file of their own."""

from __future__ import annotations

import difflib
import os
import stat
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from domain.errors import Invalid
from entrypoints.cli.durations import seconds_of

OUTPUTS = ("table", "json", "yaml")
KNOWN = ("url", "api_key", "timeout", "output")


class ConfigFileBroken(Invalid):
    """The file of profiles cannot be used."""

    code = "config_file_broken"


class UnknownProfile(Invalid):
    """There is no profile of that name."""

    code = "unknown_profile"


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What a profile states; None where it says nothing."""

    url: str | None = None
    api_key: str | None = None
    timeout_seconds: float | None = None
    output: str | None = None


def config_file(environment: Mapping[str, str]) -> Path:
    """Where the file is: below XDG_CONFIG_HOME when that is an absolute path, else below ~/.config."""
    stated = environment.get("XDG_CONFIG_HOME", "")
    base = Path(stated) if Path(stated).is_absolute() else Path("~/.config").expanduser()
    return base / "factflow" / "config.toml"


def profile_of(path: Path, name: str | None) -> Profile:
    """The profile of that name, or without one that which the file's ``profile`` names, or one that states nothing.

    A file that is not there has no profiles. Raises ConfigFileBroken, UnknownProfile.
    """
    content = _read(path)
    profiles = {key: _profile(path, key, value) for key, value in _table(path, content, "profiles").items()}
    chosen = name or content.get("profile")
    if chosen is None:
        return Profile()
    if chosen not in profiles:
        raise _unknown(path, str(chosen), list(profiles))
    if profiles[chosen].api_key is not None:
        _warn_of_readers(path)
    return profiles[chosen]


def _read(path: Path) -> dict[str, Any]:
    import tomllib

    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ConfigFileBroken(f"{path} cannot be read: {reason}") from error
    for key in content:
        if key not in {"profile", "profiles"}:
            raise ConfigFileBroken(
                f"{path} states {key!r}; it may have `profile`, and tables [profiles.NAME]"
            )
    if not isinstance(content.get("profile", ""), str):
        raise ConfigFileBroken(f"{path}: `profile` is the name of one")
    return content


def _table(path: Path, content: dict[str, Any], key: str) -> dict[str, Any]:
    value = content.get(key, {})
    if not isinstance(value, dict):
        raise ConfigFileBroken(f"{path}: {key} is a table, with a table [profiles.NAME] for each profile")
    return value


def _profile(path: Path, name: str, value: object) -> Profile:
    if not isinstance(value, dict):
        raise ConfigFileBroken(f"{path}: profile {name!r} is a table [profiles.{name}]")
    for key, stated in value.items():
        if key not in KNOWN:
            near = difflib.get_close_matches(key, KNOWN, n=1)
            meant = f"; did you mean {near[0]}?" if near else f"; it may have {', '.join(KNOWN)}"
            raise ConfigFileBroken(f"{path}: profile {name!r} states {key!r}{meant}")
        if not isinstance(stated, str):
            raise ConfigFileBroken(f"{path}: {key} of profile {name!r} is a text in quotation marks")
    output = value.get("output")
    if output is not None and output not in OUTPUTS:
        raise ConfigFileBroken(f"{path}: output of profile {name!r} is one of {', '.join(OUTPUTS)}")
    return Profile(
        url=value.get("url"),
        api_key=value.get("api_key"),
        timeout_seconds=_seconds(path, name, value.get("timeout")),
        output=output,
    )


def _seconds(path: Path, name: str, text: str | None) -> float | None:
    try:
        return None if text is None else seconds_of(text)
    except ValueError as error:
        raise ConfigFileBroken(
            f"{path}: timeout of profile {name!r} is a duration such as 30s, 10m or 1h30m"
        ) from error


def _unknown(path: Path, name: str, names: list[str]) -> UnknownProfile:
    error = UnknownProfile(f"{path} has no profile {name!r}")
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5) or names[:10]
    error.add_note(f"there is: {', '.join(near)}" if near else f"a table [profiles.{name}] there makes one")
    return error


def _warn_of_readers(path: Path) -> None:
    """Point out that others can read the key; where permissions mean something else there is nothing to say."""
    if os.name == "posix" and path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        sys.stderr.write(
            f"warning: {path} holds an API key and others can read it: chmod 600 keeps it to yourself\n"
        )
