"""Small words that messages and tables are made of."""

_STEMS = {
    "ndcg": "nDCG", "mrr": "MRR", "map": "MAP", "macro_f1": "macro-F1", "in_scope_accuracy": "accuracy in scope",
    "out_of_scope_precision": "out of scope: precision", "out_of_scope_recall": "out of scope: recall",
    "field_f1": "field F1", "field_precision": "field precision", "field_recall": "field recall", "exact_match": "exact match",
    "right_function": "right function", "right_refusal": "right refusal", "schema_valid": "schema-valid answers",
    "weighted_kappa": "weighted kappa", "mean_absolute_error": "mean absolute error", "pearson": "Pearson",
    "spearman": "Spearman", "answered": "answers with a grade", "flip_rate": "flips when swapped",
    "agreement_where_decided": "agreement where decided", "rouge_l": "ROUGE-L", "chrf": "chrF", "bleu": "BLEU",
    "judged_correctness": "judged correctness",
    "right_calls": "right calls", "right_sql": "right queries", "execution_match": "execution match",
    "parses": "queries that parse", "runs": "queries that run", "right_easy": "right, easy", "right_medium": "right, medium",
    "right_hard": "right, hard", "right_extra": "right, extra hard",
}  # fmt: skip
_RAGAS = {
    "id_based_context_precision": "ragas: precision by id, first 5",
    "id_based_context_recall": "ragas: recall by id, first 5",
    "non_llm_context_precision_with_reference": "ragas: precision by text, first 5",
    "non_llm_context_recall": "ragas: recall by text, first 5",
    "faithfulness": "ragas: faithfulness",
    "answer_relevancy": "ragas: answer relevancy",
    "context_precision": "ragas: context precision",
    "context_recall": "ragas: context recall",
    "factual_correctness": "ragas: factual correctness",
}
LOWER_IS_BETTER = frozenset({"mean_absolute_error", "flip_rate"})
"""The metrics that are better the lower they are."""
WITHOUT_SIDE = frozenset({"bias"})
"""The metrics of which neither more nor less is better."""


def counted(num: int, noun: str) -> str:
    """A number with its noun: "1 question", "1,200 questions", "3 queries". For nouns whose plural is made with an s."""
    if num == 1:
        return f"{num:,} {noun}"
    return f"{num:,} {noun[:-1]}ies" if noun.endswith("ry") else f"{num:,} {noun}s"


def signed(value: float) -> str:
    """A difference with its sign and a real minus, such as +0.012 or −0.034; 0.000 has no sign."""
    return f"{value:+.3f}".replace("-", "−").replace("+0.000", "0.000").replace("−0.000", "0.000")


def metric_title(name: str) -> str:
    """A metric as papers write it: "ndcg@10" is "nDCG@10"; ragas' say whose they are; others are called by their name."""
    stem, at, cutoff = name.partition("@")
    return _RAGAS.get(name) or _STEMS.get(stem, stem) + at + cutoff
