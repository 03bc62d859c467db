"""Answers held to a JSON Schema, or to well-formed function calls, while a local model writes them, by llguidance."""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from finetune_core.providers.chat import RequestRefusedError, Tool
from finetune_core.providers.chat_template import CALL_END, CALL_START

if TYPE_CHECKING:
    import torch

# One way to write a value: as `json.dumps` does, which is how answers are written for training. Free white space
# would let a small model write blanks until its tokens are spent.
_FORM: Any = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": ", "coerce_one_of": True}


def is_strict(tools: Sequence[Tool]) -> bool:
    """Whether calls of `tools` are to be held to their schemas: each function says `"strict": true`, as at OpenAI."""
    return bool(tools) and all(tool["function"].get("strict") for tool in tools)


def schema_grammar(schema: Mapping[str, Any]) -> str:
    """A grammar of llguidance for one JSON value that fits `schema`."""
    from llguidance import LLMatcher

    return LLMatcher.grammar_from_json_schema(dict(schema), overrides=_FORM)


def calls_grammar(tools: Sequence[Tool], *, tagged: bool) -> str:
    """A grammar of llguidance for either words, or calls of `tools` whose arguments fit their schemas.

    Calls are between tags, or, with `tagged` False, one bare object with `name` and `parameters`.
    """
    from llguidance import LLMatcher

    key = "arguments" if tagged else "parameters"
    calls = [
        {
            "type": "object",
            "properties": {
                "name": {"const": tool["function"]["name"]},
                key: tool["function"].get("parameters") or {"type": "object", "properties": {}},
            },
            "required": ["name", key],
            "additionalProperties": False,
        }
        for tool in tools
    ]
    rules = [f"object: {' | '.join(f'call_{number}' for number in range(len(calls)))}"]
    for number, call in enumerate(calls):
        rules.append(f"call_{number}: %json {json.dumps(call | {'x-guidance': _FORM})}")
    if tagged:
        rules.append(f'start: WORDS | call ("\\n" call)*\ncall: "{CALL_START}\\n" object "\\n{CALL_END}"')
        rules.append(r"WORDS: /(?s:[^<].*)/")
    else:
        rules.append("start: WORDS | object")
        rules.append(r"WORDS: /(?s:[^\{\[].*)/")
    return str(LLMatcher.grammar_from_lark("\n".join(rules)))


class GrammarMask:
    """A step of `generate` that leaves each row only the tokens its grammar allows; rows without one are free."""

    def __init__(self, tokenizer: Any, grammars: Sequence[str | None], stop_ids: Sequence[int]) -> None:
        self._matchers = [matcher(tokenizer, grammar) if grammar else None for grammar in grammars]
        self._stop_ids = list(stop_ids)
        self._is_first = True

    def __call__(self, ids_BT: "torch.Tensor", logits_BV: "torch.Tensor") -> "torch.Tensor":
        """The logits (B, V) with minus infinity where the grammar of the row does not go on."""
        import torch

        for row, found in enumerate(self._matchers):
            if found is None:
                continue
            if not self._is_first and not found.is_stopped():
                found.consume_token(int(ids_BT[row, -1]))
            forbidden = torch.ones(logits_BV.shape[1], dtype=torch.bool)
            if found.is_stopped():
                forbidden[self._stop_ids] = False
            else:
                bits = np.unpackbits(np.frombuffer(found.compute_bitmask(), np.uint8), bitorder="little")
                allowed = torch.from_numpy(bits[: logits_BV.shape[1]].astype(bool))
                forbidden[: len(allowed)] = ~allowed
            logits_BV[row].masked_fill_(forbidden.to(logits_BV.device), float("-inf"))
        self._is_first = False
        return logits_BV

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with these rows alone."""
        self._matchers = [self._matchers[row] for row in rows]


def matcher(tokenizer: Any, grammar: str) -> Any:
    """What follows an answer through `grammar`. Raises RequestRefusedError for one that cannot be followed."""
    from llguidance import LLMatcher

    found = LLMatcher(tokenizer, grammar, log_level=0)
    if found.is_error():
        raise RequestRefusedError(
            f"The answer cannot be held to this schema: {found.get_error().splitlines()[0]}",
            hint="Leave out the parts of the schema that it names, or switch the grammar off.",
        )
    return found
