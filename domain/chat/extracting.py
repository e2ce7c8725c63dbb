"""Makes an answer of the sources' own sentences, for a server without a language model."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from domain.chat.answer import Source
from domain.chat.sentences import Sentence, sentences
from domain.retrieval.words import words

MAX_SENTENCES = 4
MAX_CANDIDATES = 48
"""Sentences that are compared with the question by meaning; the rest is left out by its words."""

LEAST_SHARE_OF_BEST = 0.72
LEAST_SHARE_ELSEWHERE = 0.85
"""The same for a sentence of another document than the best one's."""

TOO_ALIKE = 0.6
LEAST_SHARE_WITH_CODE = 0.92
"""The same for a second piece of code."""

MEANING_WEIGHT = 0.55
WORDS_WEIGHT = 0.3
SOURCE_WEIGHT = 0.15

_LITTLE_WORDS = """
    a an the of to in on at by for from with as is are was were be been being do does did done can could may might
    must shall should will would have has had i you he she it we they me my your its our their this that these those
    there here what which who whom whose when where why how and or not no if than then so such also about into over
    tell explain describe please mean means
"""
_STOP_WORDS = frozenset(_LITTLE_WORDS.split())
_DANGLING = re.compile(
    r"(?:this|that|these|those|it|its|they|such|however|therefore|thus|hence|also|but|and|or|so|then|otherwise"
    r"|instead|moreover|furthermore|additionally|similarly|likewise|consequently|for example|for instance"
    r"|in this|in that|in these|in such|in the (?:above|example)|the above|the former|the latter|alternatively"
    r"|as (?:noted|shown|described|mentioned|above|previously)|see|note that|the following)\b",
    re.IGNORECASE,
)
_POINTS_ELSEWHERE = re.compile(
    r"\b(?:following (?:sub)?sections?|(?:described|discussed|explained|detailed|listed|shown|appear)\s+(?:below|later)"
    r"|(?:sub)?section \d|chapter \d|appendix \w\b|more information)",
    re.IGNORECASE,
)
_ASKS_HOW = re.compile(
    r"\bhow\s+(?:do|does|can|could|should|would|to|is|are)\b|\b(?:syntax|command|example|statement|query)\b",
    re.IGNORECASE,
)
_ENDINGS = ("ations", "ation", "ings", "ing", "ies", "ied", "ed", "es", "s", "ly", "e", "y")


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A sentence of a source that may become part of the answer; ``place`` counts a source's sentences from 0."""

    source: Source
    sentence: Sentence
    place: int
    words: frozenset[str]
    overlap: float

    @property
    def start(self) -> int:
        """Where the sentence begins in the document's Markdown."""
        return self.source.start + self.sentence.start

    @property
    def end(self) -> int:
        """Where it ends there."""
        return self.source.start + self.sentence.end

    @property
    def meaning(self) -> str:
        """The text to compare with the question: a sentence of a list of terms speaks of its term."""
        return f"{self.sentence.term}: {self.sentence.text}" if self.sentence.term else self.sentence.text


def content_stems(text: str) -> frozenset[str]:
    """The words that carry meaning, without their endings: a rough stemming that suits comparing sentences."""
    return frozenset(_stem(word) for word in words(text) if word not in _STOP_WORDS)


def candidates(query: str, sources: Sequence[Source]) -> Sequence[Candidate]:
    """The sentences most worth comparing by meaning, in the order of their sources.

    Words weigh by how few of the sentences have them; a source's headings count half.
    """
    asked = content_stems(query)
    found = [
        (source, place, sentence, content_stems(sentence.text))
        for source in sources
        for place, sentence in enumerate(sentences(source.text))
    ]
    weights = _weights(asked, [stems for *_, stems in found])
    made = [
        Candidate(
            source=source,
            sentence=sentence,
            place=place,
            words=stems,
            overlap=_overlap(weights, stems, _heading_stems(source, sentence)),
        )
        for source, place, sentence, stems in found
    ]
    ranks = {source.number: rank for rank, source in enumerate(sources)}
    best = sorted(made, key=lambda one: (-one.overlap - _prior(ranks[one.source.number], one), one.place))
    chosen = {id(one) for one in best[:MAX_CANDIDATES]}
    return [one for one in made if id(one) in chosen]


def chosen(
    query: str, found: Sequence[Candidate], similarities: Sequence[float], *, most: int = MAX_SENTENCES
) -> Sequence[Candidate]:
    """The sentences of the answer, in the order in which they are to be read.

    ``similarities`` are the cosines of question and sentences. The best one decides: others must come near it, say
    something else, and stand on their own or right after one that was chosen.
    """
    wants_code = bool(_ASKS_HOW.search(query))
    ranks = _ranks(found)
    scores = {
        id(one): _score(one, similar, ranks, wants_code=wants_code)
        for one, similar in zip(found, similarities, strict=True)
    }
    best_first = sorted(found, key=lambda one: -scores[id(one)])
    picked: list[Candidate] = []
    for one in best_first[: 4 * most]:
        share = scores[id(one)] / max(scores[id(best_first[0])], 1e-9)
        if len(picked) < most and _belongs(one, share, picked):
            picked.append(one)
    return _in_reading_order(picked)


def _belongs(one: Candidate, share: float, picked: Sequence[Candidate]) -> bool:
    """Whether a sentence whose score is that share of the best one's goes with those that were picked."""
    if not picked:
        return True
    least = LEAST_SHARE_OF_BEST if _document(one) == _document(picked[0]) else LEAST_SHARE_ELSEWHERE
    if one.sentence.code and any(other.sentence.code for other in picked):
        least = LEAST_SHARE_WITH_CODE
    return share >= least and not any(_is_repetition(one, other) for other in picked)


def moved(one: Candidate, passage: Source) -> Candidate:
    """The candidate as a sentence of a passage of its source, which holds it."""
    by = passage.start - one.source.start
    sentence = replace(one.sentence, start=one.sentence.start - by, end=one.sentence.end - by)
    return replace(one, source=passage, sentence=sentence)


def kept_sources(sources: Sequence[Source], picked: Sequence[Candidate], most: int) -> Sequence[Source]:
    """The sources to show: every object, and ``most`` segments, those that are quoted before those that are not.

    They stay in their order; numbers are as before.
    """
    quoted = {one.source.number for one in picked}
    segments = [source for source in sources if source.segment_id is not None]
    preferred = sorted(segments, key=lambda source: source.number not in quoted)[:most]
    kept = {source.number for source in preferred}
    return [source for source in sources if source.segment_id is None or source.number in kept]


def _score(one: Candidate, similar: float, ranks: Mapping[int, int], *, wants_code: bool) -> float:
    score = MEANING_WEIGHT * max(similar, 0.0) + WORDS_WEIGHT * one.overlap
    score += SOURCE_WEIGHT * _prior(ranks[one.source.number], one)
    if one.sentence.code:
        score += 0.08 if wants_code else -0.2
    if _DANGLING.match(one.sentence.text):
        score -= 0.15
    if one.sentence.text.endswith("?"):
        score -= 0.15
    if _POINTS_ELSEWHERE.search(one.sentence.text):
        score -= 0.06
    return score


def _prior(rank: int, one: Candidate) -> float:
    """Better sources count more, and so does what a source says first."""
    return 1.0 / (1.0 + 0.5 * rank) * (1.0 if one.place == 0 else 0.75)


def _ranks(found: Sequence[Candidate]) -> Mapping[int, int]:
    numbers = dict.fromkeys(one.source.number for one in found)
    return {number: rank for rank, number in enumerate(numbers)}


def _is_repetition(one: Candidate, other: Candidate) -> bool:
    both = len(one.words & other.words)
    return both >= TOO_ALIKE * min(len(one.words), len(other.words) or 1)


def _in_reading_order(picked: Sequence[Candidate]) -> Sequence[Candidate]:
    """Documents by their best sentence; within a document as it is written."""
    documents = list(dict.fromkeys(_document(one) for one in picked))
    return sorted(
        picked,
        key=lambda one: (
            documents.index(_document(one)),
            one.start,
            one.source.number,
        ),
    )


def _document(one: Candidate) -> str:
    return one.source.document_id or one.source.storage_key or str(one.source.number)


def _weights(asked: frozenset[str], sentence_stems: Sequence[frozenset[str]]) -> Mapping[str, float]:
    """Inverse document frequency of the question's words over the sentences, scaled to a sum of 1."""
    counts = Counter(stem for stems in sentence_stems for stem in stems & asked)
    raw = {stem: math.log(1.0 + len(sentence_stems) / (1.0 + counts[stem])) for stem in asked}
    total = sum(raw.values()) or 1.0
    return {stem: weight / total for stem, weight in raw.items()}


def _overlap(weights: Mapping[str, float], stems: frozenset[str], headings: frozenset[str]) -> float:
    own = sum(weight for stem, weight in weights.items() if stem in stems)
    above = sum(weight for stem, weight in weights.items() if stem in headings and stem not in stems)
    return own + 0.5 * above


def _heading_stems(source: Source, sentence: Sentence) -> frozenset[str]:
    return content_stems(" ".join((source.title, *source.heading_path, sentence.heading, sentence.term)))


def _stem(word: str) -> str:
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)]
    return word
