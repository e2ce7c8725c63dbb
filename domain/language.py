"""Which language a text is in, by how often the commonest words of each occur."""

from __future__ import annotations

import re
from collections import Counter

DEFAULT_LANGUAGE = "en"
# The beginning of a text tells as much as the whole.
_SAMPLE_CHARACTERS = 40_000
_SAMPLE_WORDS = 4_000
# Below this share of common words, or this lead over the next language, a guess would be no better than the default.
_LEAST_SHARE = 0.06
_LEAST_WORDS = 3
_WORD = re.compile(r"[^\W\d_]+")
_ASCII_WORD = re.compile(r"[A-Za-z]+")

# The commonest function words; those that several languages share are told apart by the rest.
_COMMON_WORDS = {
    "en": "the of and to in is that it was for on are with as be this have from or by not but what all were we when "
    "your can said there an which their if will one about how up out them then she many some so these would other "
    "into has more her two like him see time could no make than first been its who now did you he his they at",
    "no": "og i det er på som en for med av til at ikke de har den et var fra om vi jeg han ble seg kan men så eller "
    "hun etter skal ved også blir ut dette nå noe denne hvis må mot hadde sin bare enn være over slik mellom når hva "
    "opp bli noen alle disse sa hvor mye ein eit ikkje eg dei vart frå kva òg vere nokon berre då mykje",
    "de": "der die und in den von zu das mit sich des auf für ist im dem nicht ein eine als auch es an werden aus er "
    "hat dass sie nach wird bei einer um am sind noch wie einem über einen so zum war haben nur oder aber vor zur bis "
    "mehr durch man sein wurde kann gegen vom können schon wenn ich wir ihre unter diese",
    "sv": "och i att det som en på är av för med till den har de inte om ett han men var jag från vi så kan när år "
    "under också eller efter sig nu hade blir vid ska mot skulle där hon även ut bara andra mycket detta vara utan "
    "finns över mellan alla någon än blev få vad dessa hur då",
    "da": "og i at det er en til på som for med de af ikke den der har jeg et var han fra vi kan sig så men om eller "
    "hun efter skal ved også blev nu dette denne hvis må mod havde sin kun end være over mellem når hvad op blive "
    "nogle alle disse hvor meget bliver deres være kunne",
    "fr": "de la le et les des en un du une que est pour qui dans a par plus pas au sur ne se ce il sont avec ou son "
    "aux cette ont ses mais comme on tout nous sa été fait être ces leur elle même peut après sans entre ainsi vous "
    "était aussi dont où très deux c'est je",
    "es": "de la que el en y a los se del las un por con no una su para es al lo como más o pero sus le ha me si sin "
    "sobre este ya entre cuando todo esta ser son dos también fue había era muy años hasta desde está mi porque qué "
    "sólo han yo hay vez puede todos así nos ni parte tiene él uno donde bien",
    "nl": "de van het een en in is dat op te zijn voor met die niet aan er om ook als dan maar bij uit door naar over "
    "ze wordt nog hij werd heeft hebben deze of was wel kan worden tot onder meer geen had zich al ik zou je dit veel "
    "haar wij hun men daar toen waar omdat tussen",
    "pt": "de a o que e do da em um para é com não uma os no se na por mais as dos como mas foi ao ele das tem à seu "
    "sua ou ser quando muito há nos já está eu também só pelo pela até isso ela entre era depois sem mesmo aos ter "
    "seus quem nas me esse eles estão você tinha foram são",
    "it": "di che e la il un a per in una mi sono ho non ma lo ha le si ti i con cosa se io come da ci no questo qui "
    "hai sei del bene tu sì me più al mio perché lei gli della dei nel alla delle è anche dal essere nella stato loro "
    "dalla ai sua suo era o sul fra ed ad degli molto può quando",
    "fi": "ja on ei se että oli hän en mutta ovat kun niin myös mitä kuin tai ole sen joka jos nyt voi jo vain sitä "
    "minä ne tämä olen mukaan sekä ollut hänen olla jonka vielä siitä sitten joita jotka tässä kaikki mikä eivät "
    "minun sinä olisi jälkeen koska kanssa ennen joten kuitenkin noin",
}  # fmt: skip
_LANGUAGES_OF_WORD: dict[str, list[str]] = {}
for _language, _words in _COMMON_WORDS.items():
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
    "nb": "norwegian",
    "ne": "nepali",
    "nl": "dutch",
    "nn": "norwegian",
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
    """The ISO 639-1 code of the text's language among those whose common words we know, "en" when unsure.

    A word counts for each language that has it, in inverse proportion to how many do, so that words shared by
    neighbours such as Danish and Norwegian weigh little.
    """
    pattern = _ASCII_WORD if text.isascii() else _WORD
    words = pattern.findall(text, 0, _SAMPLE_CHARACTERS)[:_SAMPLE_WORDS]
    scores: Counter[str] = Counter()
    for word, times in Counter(map(str.lower, words)).items():
        languages = _LANGUAGES_OF_WORD.get(word, ())
        for language in languages:
            scores[language] += times / len(languages)  # type: ignore[assignment]
    if not scores:
        return DEFAULT_LANGUAGE
    ((language, score), *_) = scores.most_common(1)
    is_sure = score >= _LEAST_WORDS and score >= _LEAST_SHARE * len(words)
    return language if is_sure else DEFAULT_LANGUAGE


def text_search_configuration(language: str) -> str:
    """PostgreSQL's text search configuration for a language code such as ``en`` or ``nb-NO``; else ``simple``."""
    return _CONFIGURATIONS.get(primary_subtag(language) or "", "simple")


def primary_subtag(tag: str | None) -> str | None:
    """The language of a tag such as ``en-US`` or ``de_AT`` (RFC 5646, section 2.2.1), None when it is none."""
    match = re.match(r"\s*([A-Za-z]{2})(?:[-_]|\s*$)", tag or "")
    return match[1].lower() if match else None
