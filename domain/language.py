"""Which language a text is in, by how often the commonest words of each occur."""

from __future__ import annotations

import re
from collections import Counter
from unicodedata import name

from domain.language_clues import COMMON_WORDS, SCRIPTS

DEFAULT_LANGUAGE = "en"
# The beginning of a text tells as much as the whole.
_SAMPLE_CHARACTERS = 40_000
_SAMPLE_WORDS = 4_000
# Below this share of common words, or this lead over the next language, a guess would be no better than the default.
_LEAST_SHARE = 0.06
_LEAST_WORDS = 3
_SCRIPT_LETTERS = 400
"""So many letters that are not Latin tell the script."""
_LAST_LATIN = "\u024f"
_JAPANESE = 0.05
"""The share of kana above which Han characters are Japanese."""
_WORD = re.compile(r"[^\W\d_]+")
_ASCII_WORD = re.compile(r"[A-Za-z]+")

_LANGUAGES_OF_WORD: dict[str, list[str]] = {}
for _language, _words in COMMON_WORDS.items():
    for _word in set(_words.split()):
        _LANGUAGES_OF_WORD.setdefault(_word, []).append(_language)

# The snowball stemmers that every PostgreSQL has.
_CONFIGURATIONS = {
    "ar": "arabic",
    "ca": "catalan",
    "da": "danish",
    "de": "german",
    "el": "greek",
    "en": "english",
    "es": "spanish",
    "eu": "basque",
    "fi": "finnish",
    "fr": "french",
    "ga": "irish",
    "hi": "hindi",
    "hu": "hungarian",
    "hy": "armenian",
    "id": "indonesian",
    "it": "italian",
    "lt": "lithuanian",
    "ne": "nepali",
    "nl": "dutch",
    "no": "norwegian",
    "pt": "portuguese",
    "ro": "romanian",
    "ru": "russian",
    "sr": "serbian",
    "sv": "swedish",
    "ta": "tamil",
    "tr": "turkish",
    "yi": "yiddish",
}
STEMMED_LANGUAGES = tuple(_CONFIGURATIONS)
"""ISO 639-1 codes of the languages whose words are compared by their stems."""


def detect(text: str) -> str:
    """The ISO 639-1 code of the text's language among those we know, "en" when unsure.

    Another script than Latin tells at once. Else a word counts for each language that has it among its commonest, in
    inverse proportion to how many do, so that words shared by neighbours such as Danish and Norwegian weigh little.
    """
    if not text.isascii() and (language := _by_script(text[:_SAMPLE_CHARACTERS])) is not None:
        return language
    pattern = _ASCII_WORD if text.isascii() else _WORD
    words = pattern.findall(text, 0, _SAMPLE_CHARACTERS)[:_SAMPLE_WORDS]
    scores: Counter[str] = Counter()
    hits: Counter[str] = Counter()
    for word, times in Counter(map(str.lower, words)).items():
        languages = _LANGUAGES_OF_WORD.get(word, ())
        for language in languages:
            scores[language] += times / len(languages)  # type: ignore[assignment]
            hits[language] += times
    if not scores:
        return DEFAULT_LANGUAGE
    ((language, _), *_) = scores.most_common(1)
    is_sure = hits[language] >= max(_LEAST_WORDS, _LEAST_SHARE * len(words))
    return language if is_sure else DEFAULT_LANGUAGE


def _by_script(text: str) -> str | None:
    """The language of the script that most letters are in; None when most are Latin, or of a script without a language."""
    foreign = [letter for letter in text if letter > _LAST_LATIN and letter.isalpha()]
    if 2 * len(foreign) <= sum(map(str.isalpha, text)):
        return None
    counts = Counter(name(letter, "").partition(" ")[0] for letter in foreign[:_SCRIPT_LETTERS])
    if counts["HIRAGANA"] + counts["KATAKANA"] > _JAPANESE * counts.total():
        return "ja"
    ((script, _), *_) = counts.most_common(1)
    present = set(text.lower())
    for begin, language, others in SCRIPTS:
        if begin == script:
            return next((other for letters, other in others if present & set(letters)), language)
    return None


def text_search_configuration(language: str) -> str:
    """PostgreSQL's text search configuration for a language code such as ``en`` or ``nb-NO``; else ``simple``."""
    return _CONFIGURATIONS.get(primary_subtag(language) or "", "simple")


def primary_subtag(tag: str | None) -> str | None:
    """The language of a tag such as ``en-US`` or ``de_AT`` (RFC 5646, section 2.2.1), None when it is none.

    Both written forms of Norwegian are ``no`` here, as they are when they are detected.
    """
    match = re.match(r"\s*([A-Za-z]{2})(?:[-_]|\s*$)", tag or "")
    language = match[1].lower() if match else None
    return "no" if language in {"nb", "nn"} else language


def one_code(language: str) -> str:
    """The code under which documents in a language are kept; what is no language's tag stays as it is."""
    return primary_subtag(language) or language
