"""Telling languages apart."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.chat.retrieval import metadata_filter
from domain.language import detect, primary_subtag, text_search_configuration
from domain.match import SearchFilter
from domain.retrieval.search_filters import search_filter

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
    "ru": "Сервер хранит результат каждого этапа, чтобы любой этап можно было повторить после ошибки.",
    "uk": "Сервер зберігає результат кожного етапу, щоб будь-який етап можна було повторити після помилки.",
    "el": "Ο διακομιστής διατηρεί το αποτέλεσμα κάθε σταδίου, ώστε να μπορεί να επαναληφθεί μετά από σφάλμα.",
    "ar": "يحتفظ الخادم بنتيجة كل مرحلة حتى يمكن إعادتها بعد حدوث خطأ.",
    "hi": "सर्वर हर चरण का परिणाम रखता है ताकि किसी गलती के बाद उसे दोहराया जा सके।",
    "ta": "ஒவ்வொரு கட்டத்தின் முடிவையும் சேவையகம் வைத்திருக்கிறது.",
    "hy": "Սերվերը պահում է յուրաքանչյուր փուլի արդյունքը։",
    "ja": "サーバーは各段階の結果を保存するので、失敗した後に再実行できます。",
    "zh": "服务器保存每个阶段的结果，以便在失败后可以重新执行。",
    "ko": "서버는 각 단계의 결과를 보관하므로 실패한 후에 다시 실행할 수 있습니다.",
    "ro": "Serverul păstrează rezultatul din fiecare etapă, astfel că poate fi repetat când nu a mers și nu este bine.",
    "tr": "Sunucu her aşamanın sonucunu saklar ve bu bir hata olduğu zaman sonra tekrar için kullanılır.",
    "hu": "A szerver minden lépés eredményét megőrzi, és ez egy hiba után is megismételhető, ha kell, de nem csak akkor.",
    "ca": "El servidor guarda el resultat de cada etapa perquè es pugui repetir quan no ha anat bé, però també després amb "
    "més dades.",
    "cs": "Server uchovává výsledek každého kroku, který je možné opakovat, když se něco nepodaří, nebo jen tak pro "
    "jistotu, jak by to mohlo být.",
    "pl": "Serwer przechowuje wynik każdego etapu, który może być powtórzony, gdy coś się nie uda, oraz dla tych, "
    "które już są gotowe.",
    "et": "Server hoiab iga sammu tulemust ja see on olemas ka siis, kui midagi ei õnnestunud, või pole veel valmis.",
    "id": "Server menyimpan hasil dari setiap tahap yang dapat diulang karena ada kesalahan pada saat itu dan untuk itu.",
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


@pytest.mark.parametrize("text", ["", "1234 5678", "xyzzy plugh", "ᚠᚢᚦᚨᚱᚲ ᚷᚹᚺ", "SELECT id FROM t"])
def test_what_gives_no_clue_is_taken_for_english(text: str) -> None:
    """Numbers, made-up words and scripts we have no words of fall back."""
    assert detect(text) == "en"


@given(st.text())
def test_any_text_has_some_language(text: str) -> None:
    """No text makes the detection fail."""
    assert re.fullmatch("[a-z]{2}", detect(text))


def test_english_with_words_of_other_scripts_is_english() -> None:
    """A quotation does not make it another language."""
    text = SAMPLES["en"] + " It is called ὁ λόγος in Greek, and 服务器 in Chinese."
    assert detect(text) == "en"


def test_both_forms_of_norwegian_have_one_code() -> None:
    """Whether a document says it or it was detected, so that one filter finds them all."""
    tags = ("nb", "nn-NO", "no", "nb_NO")
    assert [primary_subtag(tag) for tag in tags] == ["no"] * 4
    given = ("nb", "no", "en", "NB", "nn-NO", "en_GB", "Klingon")
    kept = ["no", "no", "en", "no", "no", "en", "Klingon"]
    assert [SearchFilter(language=tag).language for tag in given] == kept
    asked, meant = ({"or": [{"language": {"in": list(tags)}}]} for tags in (given, kept))
    assert metadata_filter(asked) == search_filter(meant)


def test_languages_have_postgresql_configurations() -> None:
    """Tags with regions count as their language; what has no stemmer is simple."""
    names = [text_search_configuration(tag) for tag in ("en", "nb-NO", "nn", "de_AT", "ja", "", "english")]
    assert names == ["english", "norwegian", "norwegian", "german", "simple", "simple", "simple"]


def test_only_language_tags_have_a_primary_subtag() -> None:
    """What documents declare is not always a language."""
    assert [primary_subtag(tag) for tag in ("EN", "pt-BR", " fr ", "english", "", None, "x")] == [
        "en", "pt", "fr", None, None, None, None,
    ]  # fmt: skip
