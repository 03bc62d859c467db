"""The leakage report: what of the test questions was seen in training, and which right hits would count as misses.

Near-duplicate means an estimated Jaccard similarity of word shingles of at least `THRESHOLD` (Broder, On the
resemblance and containment of documents, 1997).
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from finetune_core.corpus.near_duplicates import THRESHOLD, find_alike, find_near_duplicates
from finetune_core.evaluation.said import question_text
from finetune_core.records import Part, QueryPassages, SplitName
from finetune_core.wording import counted

MAX_COMPARED = 200_000
"""Corpora larger than this are not searched for near-duplicate passages; the report says so."""

MAX_LISTED = 50
_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class LeakageReport:
    """What was found between the parts. `num_*` count everything, the lists show the first 50.

    - `shared_questions`: equal but for case and punctuation, or near-duplicates, in two parts: leakage.
    - `shared_documents`: documents of the project's own whose questions lie in two parts: leakage, unless cut into
      sections. A question belongs to the document of its first passage; that a further passage which answers it lies in
      another document is none.
    - `num_shared_passages`: test questions one of whose passages also answers a training question. In an imported split
      that is the same corpus with new questions; for own documents it is leakage (`num_learned_passages` counts those
      that are not told of by their document already).
    - `ambiguous`: test questions whose right passage has a near-duplicate in the corpus that counts as wrong.
    """

    num_shared_questions: int = 0
    num_shared_documents: int = 0
    num_shared_passages: int = 0
    num_learned_passages: int = 0
    num_ambiguous: int = 0
    shared_questions: list[dict[str, Any]] = field(default_factory=list)
    shared_documents: list[str] = field(default_factory=list)
    ambiguous: list[dict[str, Any]] = field(default_factory=list)
    is_leaking: bool = False
    sentences: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """The report as plain JSON values, for the manifest."""
        return asdict(self)


def leakage_report(
    parts: Mapping[SplitName, Part[QueryPassages]],
    own_documents: Iterable[str] = (),
    rule: str = "document",
    checkpoint: Callable[[], None] | None = None,
) -> LeakageReport:
    """Compare the parts with one another.

    `own_documents` are the ids of documents that Ayar split itself; those of an imported split are judged by their
    questions alone. `rule` is how they were split ("document", "section" or "imported").
    """
    shared = _shared_questions(parts, checkpoint)
    own = set(own_documents)
    documents = _shared_documents(parts, own)
    seen = {key for one in parts[SplitName.TRAIN].examples for key in one.relevant}
    asked_twice = [one for one in parts[SplitName.TEST].examples if seen & set(one.relevant)]
    place = parts[SplitName.TEST].corpus
    num_learned = sum(
        one.group not in documents and any(place[key].document in own for key in seen & set(one.relevant))
        for one in asked_twice
    )
    ambiguous = _ambiguous(parts[SplitName.TEST], checkpoint)
    by_section = rule == "section"
    leaking = bool(shared) or (bool(documents) and not by_section) or bool(num_learned)
    compared = len(parts[SplitName.TEST].corpus) <= MAX_COMPARED
    return LeakageReport(
        num_shared_questions=len(shared),
        num_shared_documents=len(documents),
        num_shared_passages=len(asked_twice),
        num_learned_passages=num_learned,
        num_ambiguous=len(ambiguous),
        shared_questions=shared[:MAX_LISTED],
        shared_documents=documents[:MAX_LISTED],
        ambiguous=ambiguous[:MAX_LISTED],
        is_leaking=leaking,
        sentences=_sentences(
            len(shared), len(documents), (len(asked_twice), num_learned), len(ambiguous), by_section, compared
        ),
    )


def query_leakage(
    parts: Mapping[SplitName, Part[Any]],
    checkpoint: Callable[[], None] | None = None,
    nouns: tuple[str, str] = ("query", "queries"),
) -> LeakageReport:
    """The report for examples without documents: only those of two parts whose questions are alike leak.

    `nouns` are one and several of them in words.
    """
    shared = _shared_questions(parts, checkpoint)
    num = len(shared)
    none = f"No {nouns[0]} stands in two parts. Short ones that differ in a single word are not looked for."
    said = [f"{num:,} {nouns[num != 1]} of one part also, or nearly, in another: that is leakage."]
    return LeakageReport(
        num_shared_questions=len(shared),
        shared_questions=shared[:MAX_LISTED],
        is_leaking=bool(shared),
        sentences=said if shared else [none],
    )


def _sentences(
    num_questions: int,
    num_documents: int,
    num_passages: tuple[int, int],
    num_ambiguous: int,
    by_section: bool,
    compared: bool,
) -> list[str]:
    said = []
    if num_questions:
        said.append(f"{counted(num_questions, 'question')} of one part also, or nearly, in another: that is leakage.")
    if num_documents and by_section:
        said.append(f"{counted(num_documents, 'document')} in several parts, cut into sections a passage apart.")
    elif num_documents:
        said.append(f"{counted(num_documents, 'document')} in several parts: that is leakage.")
    num_shared, num_learned = num_passages
    if num_learned:
        said.append(
            f"{counted(num_learned, 'test question')} with a passage, in another document, that training asks about too: "
            "that is leakage."
        )
    if num_shared > num_learned and not num_documents:
        said.append(
            f"{counted(num_shared - num_learned, 'test question')} on a passage that training asks about too: same corpus, "
            "new questions."
        )
    if num_ambiguous:
        said.append(f"{counted(num_ambiguous, 'test question')} with a right passage whose near-twin counts as wrong.")
    if not compared:
        said.append(f"Near-twins were not looked for: the corpus has more than {MAX_COMPARED:,} passages.")
    return said or ["No question, document or near-duplicate is shared between the parts."]


def _shared_questions(
    parts: Mapping[SplitName, Part[Any]], checkpoint: Callable[[], None] | None
) -> list[dict[str, Any]]:
    """Pairs of questions of two parts that are equal once normalised (similarity 1), or near-duplicates."""
    flat = [(name, one) for name in SplitName for one in parts[name].examples]
    asked = [question_text(one) for _, one in flat]
    texts = [" ".join(_WORD.findall(text.casefold())) or text for text in asked]
    alike: dict[tuple[int, int], float] = {}
    by_text: dict[str, list[int]] = defaultdict(list)
    for index, text in enumerate(texts):
        # One partner of each other part is enough to name a question that is everywhere the same.
        first_of_part = {flat[other][0]: other for other in reversed(by_text[text])}
        alike.update({(other, index): 1.0 for name, other in first_of_part.items() if name != flat[index][0]})
        by_text[text].append(index)
    for i, j, similarity in find_near_duplicates(texts, THRESHOLD, checkpoint=checkpoint):
        if flat[i][0] != flat[j][0] and texts[i] != texts[j]:
            alike[i, j] = similarity
    return [_pair_of_questions(flat[i], flat[j], similarity) for (i, j), similarity in sorted(alike.items())]


def _pair_of_questions(
    first: tuple[SplitName, Any], second: tuple[SplitName, Any], similarity: float
) -> dict[str, Any]:
    return {
        "part": first[0].value,
        "question": question_text(first[1]),
        "other_part": second[0].value,
        "other_question": question_text(second[1]),
        "similarity": round(float(similarity), 3),
    }


def _shared_documents(parts: Mapping[SplitName, Part[QueryPassages]], own: set[str]) -> list[str]:
    """Own documents that questions of two different parts belong to."""
    found: dict[str, set[SplitName]] = defaultdict(set)
    for name, part in parts.items():
        for example in part.examples:
            found[example.group].add(name)
    return sorted(document for document, names in found.items() if len(names) > 1 and document in own)


def _ambiguous(test: Part[QueryPassages], checkpoint: Callable[[], None] | None) -> list[dict[str, Any]]:
    """Test questions one of whose right passages has a near-duplicate that is not right for them."""
    if len(test.corpus) > MAX_COMPARED:
        return []
    ids = [passage.id for passage in test.corpus]
    asked = {
        test.corpus.positions[key] for one in test.examples for key in one.relevant if key in test.corpus.positions
    }
    texts = [passage.full_text for passage in test.corpus]
    enough = 1 + max((len(one.relevant) for one in test.examples), default=0)  # one of so many is not right
    alike = find_alike(texts, asked, THRESHOLD, most=enough, checkpoint=checkpoint)
    twins = {ids[place]: sorted(found) for place, found in alike.items()}
    found = []
    for example in test.examples:
        places = ((key, place) for key in example.relevant for place in twins.get(key, ()))
        wrong = next(((key, ids[place]) for key, place in places if ids[place] not in example.relevant), None)
        if wrong:
            found.append({"id": example.id, "question": example.query, "passage": wrong[0], "twin": wrong[1]})
    return found
