"""A model card, written from facts: what a model was tuned from, on what, how good it is, and how to use it.

Follows the headings of Mitchell et al., Model Cards for Model Reporting (2019), as far as the facts are known.
"""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

_MARKDOWN = re.compile(r"([\\`*_\[\]<>|!#])")


@dataclass(frozen=True)
class DocumentShare:
    """A document and how many questions about it the model learned from."""

    name: str
    num_pairs: int


@dataclass(frozen=True)
class MetricPair:
    """A metric of base and tuned on the test questions, as text."""

    name: str
    base: str
    tuned: str


@dataclass(frozen=True)
class CardFacts:
    """All that the card says. Texts that people or documents gave are shown as they are, never as Markdown.

    `dataset` has name, hash, split_rule, num_train, num_validation, num_test and num_never_reviewed. Without a `verdict`
    the card says that the model was not compared yet, and gives the validation values if both are known. `out_of_domain`
    says what tuning did to questions it was not tuned for, "" where nobody measured it. `traits` are
    what is special about a model of its recipe; `noun` is what it learned from and was judged on.
    """

    name: str
    recipe: str
    recipe_title: str
    summary: str
    library: str
    pipeline_tag: str
    base_model: str
    made: str
    run_id: str
    dataset: Mapping[str, Any]
    config: Mapping[str, Any]
    libraries: Mapping[str, str]
    headline: str
    snippet: str
    traits: Mapping[str, str] = field(default_factory=dict)
    noun: str = "questions"
    best_step: int | None = None
    base_value: float | None = None
    best_value: float | None = None
    query_prefix: str = ""
    passage_prefix: str = ""
    documents: tuple[DocumentShare, ...] = ()
    num_more_documents: int = 0
    verdict: str = ""
    num_questions: int = 0
    metrics: tuple[MetricPair, ...] = ()
    out_of_domain: str = ""
    warnings: tuple[str, ...] = field(default=())


def model_card(facts: CardFacts) -> str:
    """The card as Markdown with the YAML head that model hubs read."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False)  # noqa: S701 - Markdown
    environment.filters["cell"] = plain_cell
    template = (Path(__file__).parent / "model_card.md.jinja").read_text(encoding="utf-8")
    return environment.from_string(template).render(asdict(facts))


def plain_cell(text: Any) -> str:
    """`text` on one line with Markdown switched off, fit for a table cell; a dash for nothing."""
    return _MARKDOWN.sub(r"\\\1", " ".join(str(text).split())) or "–"
