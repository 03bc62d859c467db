"""A language model as a router: the choices stand in the prompt, and each query costs tokens."""

import json
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from finetune_core.errors import ProviderError
from finetune_core.evaluation.routing import NEVER, Routes
from finetune_core.providers.chat import Chat, RequestRefusedError
from finetune_core.recipe import Run, Service
from finetune_core.records import Corpus, ServiceKind, content_id

PROMPT = Path(__file__).parent / "prompts" / "route.v1.jinja"
MAX_TOKENS = 256
_TICK_S = 0.5


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
        chat = open_chat(service.base_url, service.model, service.key_variable)
        try:
            answers = _Asking(chat, service, choices, run).ask({int(row): queries[row] for row in chosen})
        finally:
            chat.close()
        for row, answer in answers.items():
            if answer["option"] is not None:
                scores_QC[row] = NEVER
                if answer["option"]:
                    scores_QC[row, answer["option"] - 1] = 1.0
        return Routes(scores_QC, 0.5, time.perf_counter() - started, _facts(list(answers.values()), service))


class _Asking:
    """Many queries to one service, several at once, each answer written down before the next is waited for."""

    def __init__(self, chat: Chat, service: Service, choices: Corpus, run: Run) -> None:
        from jinja2 import Environment, StrictUndefined

        environment = Environment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False)  # noqa: S701 - a prompt
        self._chat, self._choices, self._run = chat, choices, run
        self._template = environment.from_string(PROMPT.read_text(encoding="utf-8"))
        option = {"type": "integer", "enum": list(range(len(choices) + 1))}
        self._schema = {
            "type": "object", "properties": {"option": option}, "required": ["option"], "additionalProperties": False,
        }  # fmt: skip
        texts = (f"{choice.title}\n{choice.text}" for choice in choices)
        key = content_id("route", service.base_url, service.model, PROMPT.name, *texts)
        self._kept = run.workdir / f"routes-{key}.jsonl"

    def ask(self, queries: dict[int, str]) -> dict[int, dict[str, Any]]:
        """The answer to each query by its row: `option` (None if there is none), tokens and `seconds`."""
        known = self._read() if len(queries) > 1 else {}
        answers = {row: known[query] for row, query in queries.items() if query in known}
        waiting = {row: query for row, query in queries.items() if row not in answers}
        pool = ThreadPoolExecutor(self._chat.num_parallel)
        try:
            asked = {pool.submit(self._answer, query): row for row, query in waiting.items()}
            pending: set[Future[dict[str, Any]]] = set(asked)
            while pending:
                done, pending = wait(pending, timeout=_TICK_S, return_when="FIRST_COMPLETED")
                answers |= {asked[future]: future.result() for future in done}
                if len(queries) > 1:  # one alone is what a person typed: nobody's business afterwards
                    self._write([future.result() for future in done])
                self._run.progress(len(answers) / len(queries), f"{self._chat.name}: {len(answers):,} queries asked")
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
        return answers

    def _answer(self, query: str) -> dict[str, Any]:
        prompt = self._template.render(choices=self._choices.passages, query=query)
        started = time.perf_counter()
        try:
            reply = self._chat.complete(
                [{"role": "user", "content": prompt}], schema=self._schema, max_tokens=MAX_TOKENS, temperature=0.0
            )
        except RequestRefusedError:
            return {"query": query, "option": None, "input_tokens": 0, "output_tokens": 0, "seconds": 0.0}
        return {
            "query": query,
            "option": _option(reply.text, len(self._choices)),
            "input_tokens": reply.input_tokens,
            "output_tokens": reply.output_tokens,
            "seconds": time.perf_counter() - started,
        }

    def _read(self) -> dict[str, dict[str, Any]]:
        lines = self._kept.read_text(encoding="utf-8").splitlines() if self._kept.is_file() else []
        found = {}
        for line in lines:
            try:
                answer = json.loads(line)
            except ValueError:  # the last line of a process that was killed while writing
                continue
            found[answer["query"]] = answer
        return found

    def _write(self, answers: list[dict[str, Any]]) -> None:
        with self._kept.open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(answer) + "\n" for answer in answers)


def _option(text: str, num_choices: int) -> int | None:
    """The number in a model's answer: JSON, also inside a code fence or chatter; None if it is no option."""
    try:
        option = json.loads(text[text.find("{") : text.rfind("}") + 1])["option"]
    except (ValueError, KeyError, TypeError):
        return None
    return option if type(option) is int and 0 <= option <= num_choices else None


def _facts(answers: Sequence[dict[str, Any]], service: Service) -> dict[str, Any]:
    asked, said = (sum(answer[key] for answer in answers) for key in ("input_tokens", "output_tokens"))
    cost_usd = service.prices.cost_usd(asked, said)
    return {
        "num_asked": len(answers),
        "input_tokens": asked,
        "output_tokens": said,
        "cost_usd": cost_usd,
        "cost_usd_per_query": None if cost_usd is None or not answers else cost_usd / len(answers),
        "latency_ms": 1000 * float(np.median([answer["seconds"] for answer in answers])) if answers else None,
    }
