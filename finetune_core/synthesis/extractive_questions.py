"""Questions without any model: headings, key phrases and sentences of a passage turned into what a person would ask.

In this order, which was measured (`tests/benchmarks/generators.py`): the heading as a question, the heading within its
document's topic, key phrases (YAKE: Campos et al., "YAKE! Keyword extraction from single documents using multiple local
features", Information Sciences 509, 2020), and statements turned round by rules ("You must wear a mask" into "Do I have
to wear a mask?"). The rules know English; other languages get headings and search words.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from finetune_core.corpus.language import lowered
from finetune_core.evaluation.retrieval import words_of
from finetune_core.providers.chat import Checkpoint
from finetune_core.records import Passage, content_id
from finetune_core.synthesis.questions import Batch, Written
from finetune_core.synthesis.sentences import sentence_spans

MAX_WORDS = 18
MIN_WORDS = 4
_SPACES = re.compile(r"\s+")
_NUMBERING = re.compile(r"^(?:\d+(?:\.\d+)*\.?|[A-Z]\.|§\s*\d+)\s+")
_CLAUSE_END = re.compile(
    r"\s*(?:[;:(–—]|\s-\s|,? (?:because|so that|which|whereas|although|unless|including|for example|such as)\b).*"
)
_FLIP = {
    "you are": "I am", "you're": "I'm", "you were": "I was", "you've": "I've", "you’re": "I'm", "you’ve": "I've",
    "you'll": "I'll", "you have": "I have", "your": "my", "yours": "mine", "yourself": "myself", "you": "I",
    "yourselves": "ourselves",
}  # fmt: skip
_FLIPPED = re.compile(r"\b(" + "|".join(sorted(map(re.escape, _FLIP), key=len, reverse=True)) + r")\b", re.IGNORECASE)
_OBJECT_I = re.compile(
    r"\b(to|for|with|by|from|of|on|at|about|around|near|help|helps|give|gives|tell|ask|let|allow|protect|support) I\b"
)
_IMPERATIVES = frozenset({
    "add", "allow", "apply", "arrange", "ask", "assign", "avoid", "book", "build", "call", "change", "check",
    "choose", "clean", "collect", "complete", "confirm", "consider", "contact", "continue", "create", "define",
    "discuss", "encourage", "ensure", "find", "follow", "get", "give", "help", "identify", "import", "include",
    "inform", "install", "keep", "limit", "maintain", "make", "minimise", "minimize", "move", "open", "place",
    "plan", "prevent", "provide", "put", "read", "reduce", "register", "remove", "report", "request", "return",
    "review", "run", "save", "see", "send", "set", "share", "start", "stay", "stop", "store", "support", "take",
    "talk", "tell", "treat", "try", "turn", "update", "use", "visit", "wash", "wear", "work", "write",
})  # fmt: skip

_NO_SUBJECTS = frozenset({"this", "it", "there", "they", "these", "that", "you", "we", "he", "she", "those"})


@dataclass(frozen=True, slots=True)
class Extract:
    """A question and the exact part of the passage that it was made from."""

    question: str
    evidence: str


def extracts(passage: Passage, language: str, num: int) -> list[Extract]:
    """Up to `num` different questions of the passage, always the same ones in the same order, best first.

    `language` is an English name ("English", "Turkish"); fewer come back where the passage is short, none where it holds
    no sentence. Asking for more only adds to the end.
    """
    spans = [span for span in sentence_spans(passage.text) if passage.text[slice(*span)].count(" ") >= MIN_WORDS - 1]
    statements = [passage.text[start:end] for start, end in spans]
    if not statements:
        return []
    if language == "English":
        ways = [_from_heading(passage, statements), _turned(statements), _asked(passage, statements)]
    else:
        ways = [_search_words(passage, language, statements)]
    found: dict[str, Extract] = {}
    for extract in chain.from_iterable(ways):
        if MIN_WORDS <= len(extract.question.split()) <= MAX_WORDS + 4:
            found.setdefault(extract.question.casefold(), extract)
        if len(found) >= num:
            break
    return list(found.values())


def _turned(statements: Sequence[str]) -> Iterator[Extract]:
    """Statements that a rule knows how to ask for, those with the most telling rule first."""
    for rule in _RULES:
        for statement in statements:
            question = rule(_plain(statement))
            if question:
                yield Extract(question, statement)


def _plain(statement: str) -> str:
    return _SPACES.sub(" ", statement).strip().rstrip(".!:;").strip()


def _short(clause: str) -> str:
    """The clause up to its first aside, and at most MAX_WORDS - 4 words of it."""
    return " ".join(_CLAUSE_END.sub("", clause).strip(" ,").split()[: MAX_WORDS - 4]).rstrip(" ,")


def _flipped(clause: str) -> str:
    """The clause as the reader would say it: "your tax" is "my tax"."""
    flipped = _FLIPPED.sub(lambda match: _FLIP[match.group().lower()], clause)
    return _OBJECT_I.sub(lambda match: f"{match.group(1)} me", flipped)


def _condition(statement: str) -> str:
    """ "If you feel ill, stay at home" -> "What should I do if I feel ill?" """
    match = re.search(r"\b(if|when) (you(?:'re|’re|r)?\b[^,;:.]{6,90}|[a-z][^,;:.]{8,90})", statement, re.IGNORECASE)
    if not match or len(match.group(2).split()) < 2:
        return ""
    condition = " ".join(match.group(2).split()[: MAX_WORDS - 5])
    return f"What should I do {match.group(1).lower()} {_flipped(condition)}?"


def _permission(statement: str) -> str:
    """ "You can claim for 5 days" -> "Can I claim for 5 days?" """
    match = re.match(
        r"(?:.{0,60}, )?(you|employers?|[a-z][a-z ’'-]{2,40}?) (can|cannot|can't|can’t|should not|should|must not|must|may|"
        r"will|need to|do not need to|don't need to|don’t need to|have to) (?:also |only |still |now )?(.{8,})",
        statement,
        re.IGNORECASE,
    )
    if not match:
        return ""
    who, modal, rest = match.group(1), match.group(2).lower(), _short(_flipped(match.group(3)))
    me = who.lower() == "you"
    who = "I" if me else who[0].lower() + who[1:]
    if modal in ("need to", "have to", "must") or modal.startswith("do"):
        return f"{'Do I' if me else 'Do ' + who} have to {rest}?"
    modal = {"cannot": "can", "can't": "can", "can’t": "can", "should not": "should", "must not": "should"}.get(
        modal, modal
    )
    return f"{modal.capitalize()} {who} {rest}?"


def _instruction(statement: str) -> str:
    """ "Check that the door is shut" -> "How should I check that the door is shut?" """
    first = statement.split(" ", 1)[0]
    if first.lower() not in _IMPERATIVES or " " not in statement:
        return ""
    return f"How should I {_short(_flipped(statement[0].lower() + statement[1:]))}?"


def _definition(statement: str) -> str:
    """ "A closure is a function that ..." -> "What is a closure?" """
    match = re.match(r"((?:A|An|The|This)? ?[\w’'/-]+(?: [\w’'/-]+){0,5}) (is|are|means) (?!not\b)", statement)
    if not match or match.group(1).lower() in _NO_SUBJECTS:
        return ""
    subject = _lower_first(match.group(1))
    return f"What {'is' if match.group(2) == 'means' else match.group(2)} {subject}?"


_RULES: tuple[Callable[[str], str], ...] = (_condition, _permission, _instruction, _definition)


def _from_heading(passage: Passage, statements: Sequence[str]) -> Iterator[Extract]:
    """The heading, asked for, alone and within its document's topic."""
    parts = [_NUMBERING.sub("", part).strip(" .:") for part in passage.title.split(" > ")]
    heading, topic = parts[-1], parts[0] if len(parts) > 1 else ""
    if not heading:
        return
    evidence = _nearest(heading.split(), statements)
    yield Extract(_heading_question(heading), evidence)
    if topic:
        short_topic = " ".join(re.sub(r"\s*\([^)]*\)|:", "", topic).split()[:10])
        yield Extract(f"{_heading_question(heading).rstrip('?')} ({_lower_first(short_topic)})?", evidence)


def _heading_question(heading: str) -> str:
    """What a person asks who needs the section under `heading`."""
    first, _, rest = heading.partition(" ")
    lowered = first.lower()
    flipped = _flipped(_lower_first(heading))
    if heading.endswith("?"):
        return _flipped(heading)
    if lowered in ("if", "when") and not rest.startswith("to "):
        return f"What should I do {flipped}?"
    if lowered in ("how", "when", "where", "what") and rest.startswith("to "):
        return f"{first.capitalize()} {'do' if lowered == 'how' else 'should'} I {_flipped(rest[3:])}?"
    if lowered in ("who", "what", "which", "why"):
        return f"{_flipped(heading)}?"
    if lowered in _IMPERATIVES and rest:
        return f"How do I {flipped}?"
    return f"What should I know about {flipped}?"


def _asked(passage: Passage, statements: Sequence[str]) -> Iterator[Extract]:
    """Key phrases in the frames that people put them in."""
    frames = (
        "What are the rules for {}?",
        "How does {} work?",
        "What do I need to know about {}?",
        "Where can I find help with {}?",
    )
    phrases = _key_phrases(passage, "English")
    for position in range(0, len(phrases) - 1, 2):
        first, second = phrases[position], phrases[position + 1]
        frame = frames[(position // 2) % len(frames)]
        yield Extract(frame.format(f"{first} and {second}"), _nearest([first, second], statements))


def _search_words(passage: Passage, language: str, statements: Sequence[str]) -> Iterator[Extract]:
    """Words as people type them into a search box."""
    heading, phrases = passage.title.rsplit(" > ", 1)[-1], _key_phrases(passage, language)
    for position in range(len(phrases) - 1):
        words = [phrases[position], phrases[position + 1]]
        lead = f"{heading} " if heading and position % 2 == 0 else ""
        yield Extract(f"{lead}{' '.join(words)}", _nearest(words, statements))


def _lower_first(text: str) -> str:
    """The text with a small first letter, unless it starts with "I" or with an abbreviation."""
    is_name = text[:2].isupper() and text[:2].isalpha()
    return text if is_name or text.startswith("I ") else text[:1].lower() + text[1:]


def _nearest(words: Sequence[str], statements: Sequence[str]) -> str:
    """The statement that holds most of the words; the first of equals."""
    wanted = {part for word in words for part in words_of(word)}
    return max(statements, key=lambda statement: len(wanted & set(words_of(statement))))


_YAKE_LANGUAGES = {
    "English": "en", "German": "de", "French": "fr", "Spanish": "es", "Italian": "it", "Portuguese": "pt", "Turkish": "tr",
    "Dutch": "nl", "Polish": "pl", "Russian": "ru", "Arabic": "ar",
}  # fmt: skip


def _key_phrases(passage: Passage, language: str) -> list[str]:
    """The passage's key phrases of at most three words, the most telling first."""
    import yake

    extractor = yake.KeywordExtractor(lan=_YAKE_LANGUAGES.get(language, "en"), n=3, dedupLim=0.7, top=12)
    return [
        lowered(phrase, language) if phrase.istitle() else phrase
        for phrase, _ in extractor.extract_keywords(passage.text)
    ]


class ExtractiveQuestions:
    """The generator without a model: free, offline, thousands of questions a minute."""

    num_parallel = 1
    num_per_call = 20

    def __init__(self, language: str) -> None:
        self._language = language
        self.key = content_id("extractive questions", "v1", language)

    def write(
        self, passage: Passage, numbers: Sequence[int], avoid: Sequence[str] = (), checkpoint: Checkpoint | None = None
    ) -> Batch[Written]:
        """As `QuestionWriter.write`; numbers past what the passage offers are unusable."""
        found = extracts(passage, self._language, max(numbers) + 1)
        nothing = Written("", reason="The chunk offers no further sentence to ask about.")
        return Batch(
            tuple(
                Written(found[number].question, found[number].evidence, claimed_evidence=found[number].evidence)
                if number < len(found)
                else nothing
                for number in numbers
            )
        )

    def largest_call(self, passage: Passage, num_questions: int) -> tuple[int, int]:
        """No tokens: no model."""
        return 0, 0

    def close(self) -> None:
        """Nothing is held."""
