"""Function calls against the right ones: which function, which arguments, and whether any call was due.

A call is `{"name": str, "arguments": {argument: value}}`. A right call may hold `"accepted"` as well: for an argument all
values that are right, None among them where it may be left out. Structured output is a call of the one function whose
parameters are the schema.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Call = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class CallScore:
    """How the calls of one answer compare with the right ones.

    `is_exact`: the same calls, in any order, each with the same arguments. `is_right_function`: the same functions as
    often. `num_right`, `num_said` and `num_expected` count single fields (an argument, or a leaf of a nested one), as
    for precision, recall and F1 of slot filling (Rastogi et al., Towards Scalable Multi-domain Conversational Agents,
    2020). A field that may be left out and was counts nowhere.
    """

    is_exact: bool
    is_right_function: bool
    num_right: int
    num_said: int
    num_expected: int


def score_calls(said: Sequence[Call], right: Sequence[Call]) -> CallScore:
    """Compare calls, each said one with the right one of the same function that shares the most fields with it."""
    from scipy.optimize import linear_sum_assignment

    if not said or not right:
        expected = sum(_num_expected(call, {}) for call in right)
        return CallScore(
            not said and not right, not said and not right, 0, sum(_num_fields(call) for call in said), expected
        )
    right_SR = np.array([[_num_right(one, other) for other in right] for one in said])
    is_same_SR = np.array([[_is_same(one, other) for other in right] for one in said])
    names_SR = np.array([[one["name"] == other["name"] for other in right] for one in said])
    worth_SR = names_SR * (1 + right_SR) + is_same_SR * 1_000
    pairs = [(s, r) for s, r in zip(*linear_sum_assignment(worth_SR, maximize=True), strict=True) if names_SR[s, r]]
    partner = {r: said[s] for s, r in pairs}
    functions_said, functions_right = (Counter(call["name"] for call in calls) for calls in (said, right))
    return CallScore(
        is_exact=len(said) == len(right) == len(pairs) and all(is_same_SR[pair] for pair in pairs),
        is_right_function=functions_said == functions_right,
        num_right=int(sum(right_SR[pair] for pair in pairs)),
        num_said=sum(_num_fields(call) for call in said),
        num_expected=sum(_num_expected(call, partner.get(r, {})) for r, call in enumerate(right)),
    )


def same_value(one: Any, other: Any) -> bool:
    """Whether two values of an argument are the same: numbers as numbers, texts whatever their case and spaces."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, str) and isinstance(other, str):
        return " ".join(one.casefold().split()) == " ".join(other.casefold().split())
    if isinstance(one, int | float) and isinstance(other, int | float):
        return bool(np.isclose(one, other, rtol=1e-9, atol=1e-12))
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(same_value(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(same_value, one, other))
    return type(one) is type(other) and bool(one == other)


def _num_right(said: Call, right: Call) -> int:
    if said["name"] != right["name"]:
        return 0
    found = 0
    for name, value in said["arguments"].items():
        options = _options(right, name)
        if "accepted" in right and name in right["accepted"]:
            found += len(list(_leaves(value))) if any(same_value(value, option) for option in options) else 0
        elif options:
            expected = dict(_leaves(options[0]))
            found += sum(path in expected and same_value(leaf, expected[path]) for path, leaf in _leaves(value))
    return found


def _is_same(said: Call, right: Call) -> bool:
    if said["name"] != right["name"]:
        return False
    names = {*said["arguments"], *right["arguments"], *right.get("accepted", {})}
    return all(
        any(same_value(said["arguments"][name], option) for option in _options(right, name))
        if name in said["arguments"]
        else _may_be_left_out(right, name)
        for name in names
    )


def _options(right: Call, name: str) -> list[Any]:
    if name in right.get("accepted", {}):
        return [value for value in right["accepted"][name] if value is not None]
    return [right["arguments"][name]] if name in right["arguments"] else []


def _may_be_left_out(right: Call, name: str) -> bool:
    return name in right.get("accepted", {}) and None in right["accepted"][name]


def _num_fields(call: Call) -> int:
    return sum(1 for value in call["arguments"].values() for _ in _leaves(value))


def _num_expected(right: Call, said: Call) -> int:
    """The fields that count as expected beside what was said: those that may be left out and were do not."""
    total = 0
    for name in {**right["arguments"], **right.get("accepted", {})}:
        if name in said.get("arguments", {}):
            options = _options(right, name)
            matching = [option for option in options if same_value(option, said["arguments"][name])]
            chosen = (matching or options)[:1]
            total += sum(1 for option in chosen for _ in _leaves(option))
        elif not _may_be_left_out(right, name):
            total += sum(1 for option in _options(right, name)[:1] for _ in _leaves(option))
    return total


def _leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """The values at the ends of nested objects with their paths; a list is one value, its order being part of it."""
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _leaves(inner, (*path, str(key)))
    else:
        yield path, value
