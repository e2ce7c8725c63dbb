"""Telling languages apart."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.language import detect, primary_subtag, text_search_configuration

SAMPLES = {
    "en": "The server keeps the output of every stage, so that any stage can be replayed when it has failed.",
    "no": "Tjeneren tar vare på det som hvert steg har laget, slik at ethvert steg kan kjøres om igjen etter en feil.",
    "de": "Der Server bewahrt die Ausgabe jeder Stufe auf, damit sie nach einem Fehler wiederholt werden kann.",
    "sv": "Servern sparar det som varje steg har gjort, så att alla steg kan köras om när något inte har gått bra.",
    "da": "Serveren gemmer det, som hvert trin har lavet, så at trinnet kan køres igen, når der er sket en fejl af "
    "nogen art, og man ikke ved hvad der gik galt.",
    "fr": "Le serveur garde le résultat de chaque étape pour que l'on puisse la rejouer après une erreur.",
    "es": "El servidor guarda el resultado de cada etapa para que se pueda repetir cuando ha fallado.",
    "nl": "De server bewaart de uitvoer van elke stap, zodat die na een fout opnieuw gedaan kan worden.",
    "pt": "O servidor guarda o resultado de cada etapa para que ela possa ser repetida quando não deu certo.",
    "it": "Il server conserva il risultato di ogni fase, che può essere ripetuta quando non è andata bene.",
    "fi": "Palvelin säilyttää jokaisen vaiheen tuloksen, niin että se voidaan toistaa, jos vaihe ei ole onnistunut.",
}


@pytest.mark.parametrize(("language", "text"), SAMPLES.items())
def test_a_sentence_or_two_tell_the_language(language: str, text: str) -> None:
    """Each of the languages we know is recognised from a little prose."""
    assert detect(text) == language


def test_nynorsk_is_norwegian() -> None:
    """Both written forms have one code here, as they have one stemmer."""
    assert (
        detect(
            "Eg veit ikkje kva dei gjer, men det er ikkje noko å vere redd for då ein berre er frå ein stad."
        )
        == "no"
    )


@pytest.mark.parametrize("text", ["", "1234 5678", "xyzzy plugh", "漢字仮名交じり文", "SELECT id FROM t"])
def test_what_gives_no_clue_is_taken_for_english(text: str) -> None:
    """Numbers, made-up words and scripts we have no words of fall back."""
    assert detect(text) == "en"


@given(st.text())
def test_any_text_has_some_language(text: str) -> None:
    """No text makes the detection fail."""
    assert detect(text) in SAMPLES


def test_languages_have_postgresql_configurations() -> None:
    """Tags with regions count as their language; what has no stemmer is simple."""
    names = [text_search_configuration(tag) for tag in ("en", "nb-NO", "nn", "de_AT", "ja", "", "english")]
    assert names == ["english", "norwegian", "norwegian", "german", "simple", "simple", "simple"]


def test_only_language_tags_have_a_primary_subtag() -> None:
    """What documents declare is not always a language."""
    assert [primary_subtag(tag) for tag in ("EN", "pt-BR", " fr ", "english", "", None, "x")] == [
        "en", "pt", "fr", None, None, None, None,
    ]  # fmt: skip
