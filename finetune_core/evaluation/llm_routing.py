"""A language model as a router: the choices stand in the prompt, and each query costs tokens."""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from finetune_core.errors import ProviderError
from finetune_core.evaluation.asking import ask_all, cost_facts
from finetune_core.evaluation.prompt_files import prompt
from finetune_core.evaluation.routing import NEVER, Routes
from finetune_core.providers.chat import Request
from finetune_core.recipe import Run
from finetune_core.records import Corpus, ServiceKind, content_id

PROMPT = "route.v1"
MAX_TOKENS = 256


@dataclass(frozen=True)
class LlmRouter:
    """Asks the model service called `service`, at temperature 0, for at most `max_queries` of the queries.

    Which ones depends on their number and `seed` alone. The others, those that the service refuses, and those answered
    with something else than an option count as not routed. Answers are kept in the run's folder, so that a restart pays
    for none twice.
    """

    name: str
    service: str
    max_queries: int
    seed: int = 0

    def route(self, queries: Sequence[str], choices: Corpus, run: Run) -> Routes:
        """Score 1 for the chosen choice and none for the others. Facts: `num_asked`, tokens, cost and `latency_ms`.

        Raises ProviderError if there is no such service, or it is of another kind or does not answer.
        """
        from finetune_core.providers.openai_chat import open_chat

        service = run.service(self.service)
        if service.kind is not ServiceKind.OPENAI:
            raise ProviderError(
                f"{service.name} reranks or embeds and answers no questions.",
                hint="Name an OpenAI-compatible provider.",
            )
        started = time.perf_counter()
        scores_QC = np.full((len(queries), len(choices)), np.nan)
        chosen = np.random.default_rng(self.seed).permutation(len(queries))[: self.max_queries]

        def on_paid(input_tokens: int, output_tokens: int) -> None:
            run.spend(service.name, input_tokens=input_tokens, output_tokens=output_tokens)

        chat = open_chat(service.base_url, service.model, service.key_variable, on_paid=on_paid)
        # One query alone is what a person typed: nobody's business afterwards.
        kept = run.workdir / f"routes-{content_id(service.base_url, service.model)}.jsonl" if len(queries) > 1 else None
        try:
            answers = ask_all(chat, _requests([queries[row] for row in chosen], choices), run, kept)
        finally:
            chat.close()
        for row, answer in zip(chosen, answers, strict=True):
            option = None if answer.failure else _option(answer.text, len(choices))
            if option is not None:
                scores_QC[row] = NEVER
            if option:
                scores_QC[row, option - 1] = 1.0
        return Routes(scores_QC, 0.5, time.perf_counter() - started, cost_facts(answers, service.prices))


def _requests(queries: Sequence[str], choices: Corpus) -> list[Request]:
    option = {"type": "integer", "enum": list(range(len(choices) + 1))}
    schema = {
        "type": "object", "properties": {"option": option}, "required": ["option"], "additionalProperties": False,
    }  # fmt: skip
    prompts = (prompt(PROMPT, choices=choices.passages, query=query) for query in queries)
    return [Request(({"role": "user", "content": text},), schema=schema, max_tokens=MAX_TOKENS) for text in prompts]


def _option(text: str, num_choices: int) -> int | None:
    """The number in a model's answer: JSON, also inside a code fence or chatter; None if it is no option."""
    try:
        option = json.loads(text[text.find("{") : text.rfind("}") + 1])["option"]
    except (ValueError, KeyError, TypeError):
        return None
    return option if type(option) is int and 0 <= option <= num_choices else None
