"""Chats: OpenAI's JSONL (also as `OpenAIFineTuningHandler` wrote it), ShareGPT, Alpaca, and the records themselves."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from finetune_core.corpus.interchange.fields import group_of, id_of, list_of, number_of, split_of, text_of
from finetune_core.corpus.interchange.messages import read_messages, read_tools
from finetune_core.corpus.interchange.preference_rows import PREFERENCE_FIELDS, preference_of
from finetune_core.corpus.interchange.row_formats import Brought, RowFormat, Rows
from finetune_core.errors import DatasetError
from finetune_core.records import Chat, Message, Tool

MAX_TOKENS = 1_000_000_000
_ROLES = {
    "human": "user", "user": "user", "gpt": "assistant", "chatgpt": "assistant", "bing": "assistant", "bard": "assistant",
    "assistant": "assistant", "model": "assistant", "system": "system", "tool": "tool", "observation": "tool",
    "function_response": "tool", "function_call": "function_call",
}  # fmt: skip
"""What ShareGPT files call who is speaking."""


def _read_records(rows: Rows) -> Iterator[Brought]:
    for where, row in rows:
        yield _chat(row, [*list_of(row, "messages", where), row["response"]], where, row.get("rejected"))


def _read_preferences(rows: Rows) -> Iterator[Brought]:
    for where, row in rows:
        found = preference_of(row, where)
        yield _chat(
            {**row, "tools": found.tools}, [*found.messages, found.preferred], where, rejected=found.non_preferred
        )


def _read_events(rows: Rows) -> Iterator[Brought]:
    for where, row in rows:
        asked = list_of(row, "messages", where)
        if row["response"] and not row["failure"]:
            yield _chat(row, [*asked, row["response"]], where)
            continue
        key = id_of({}, asked, where)
        failure = text_of(row, ("failure",), where) or "It gave no answer."
        yield Brought(Chat(key, tuple(asked), {}, key), "", where, failure)


def _read_openai(rows: Rows) -> Iterator[Brought]:
    for where, row in rows:
        yield _chat(row, row["messages"], where)


def _read_sharegpt(rows: Rows) -> Iterator[Brought]:
    for where, row in rows:
        messages = [_sharegpt_turn(turn, where) for turn in list_of(row, "conversations", where)]
        if system := text_of(row, ("system", "system_prompt"), where):
            messages.insert(0, {"role": "system", "content": system})
        yield _chat(row, messages, where)


def _read_alpaca(rows: Rows) -> Iterator[Brought]:
    for where, row in rows:
        asked = [text_of(row, ("instruction",), where, needed=True), text_of(row, ("input",), where)]
        messages: list[Any] = []
        if system := text_of(row, ("system",), where):
            messages.append({"role": "system", "content": system})
        for turn in list_of(row, "history", where):
            if not isinstance(turn, list) or len(turn) != 2:
                raise DatasetError(
                    f"{where}: history holds no pairs of texts.", hint='It is [["asked", "answered"], …].'
                )
            messages += [{"role": "user", "content": turn[0]}, {"role": "assistant", "content": turn[1]}]
        messages.append({"role": "user", "content": "\n\n".join(part for part in asked if part)})
        messages.append({"role": "assistant", "content": text_of(row, ("output",), where, needed=True)})
        yield _chat(row, messages, where)


OWN = RowFormat("Ayar chats", ("messages", "response"), _read_records)
FORMATS = (
    RowFormat("Ayar recording", ("messages", "response", "failure"), _read_events),
    OWN,
    *(RowFormat(title, needs, _read_preferences) for title, needs in PREFERENCE_FIELDS.items()),
    RowFormat("OpenAI chat", ("messages",), _read_openai),
    RowFormat("ShareGPT", ("conversations",), _read_sharegpt),
    RowFormat("Alpaca", ("instruction", "output"), _read_alpaca),
)


def write_openai(chat: Chat) -> dict[str, Any]:
    """The chat as a line of OpenAI's fine-tuning file, which takes no fields beyond these."""
    line: dict[str, Any] = {"messages": [*chat.messages, chat.response]}
    return line | ({"tools": list(chat.tools)} if chat.tools else {})


def write_openai_preferences(chats: Iterable[Chat]) -> list[dict[str, Any]]:
    """Lines of OpenAI's file for tuning by preference; chats without a rejected answer have none.

    Raises DatasetError where no chat has one.
    """
    return [
        {
            "input": {"messages": list(one.messages)} | ({"tools": list(one.tools)} if one.tools else {}),
            "preferred_output": [one.response],
            "non_preferred_output": [one.rejected],
        }
        for one in _with_rejected(chats)
    ]


def write_trl(chats: Iterable[Chat]) -> list[dict[str, Any]]:
    """The same as lines of TRL's conversational preference data."""
    return [
        {"prompt": list(one.messages), "chosen": [one.response], "rejected": [one.rejected]}
        | ({"tools": list(one.tools)} if one.tools else {})
        for one in _with_rejected(chats)
    ]


def _with_rejected(chats: Iterable[Chat]) -> list[Chat]:
    found = [one for one in chats if one.rejected]
    if not found:
        raise DatasetError(
            "None of these chats has a rejected answer.",
            hint="Edit answers on the Review page: the answer that was there first is then the rejected one.",
        )
    return found


def write_sharegpt(chat: Chat) -> dict[str, Any]:
    """The chat as an entry of a ShareGPT file; calls and results of tools as `function_call` and `observation`."""
    turns: list[dict[str, str]] = []
    names = {"user": "human", "assistant": "gpt", "tool": "observation", "developer": "system"}
    for message in (*chat.messages, chat.response):
        if message.get("content"):
            turns.append({"from": names.get(message["role"], message["role"]), "value": message["content"]})
        for call in message.get("tool_calls") or ():
            value = {"name": call["function"]["name"], "arguments": json.loads(call["function"]["arguments"] or "{}")}
            turns.append({"from": "function_call", "value": json.dumps(value, ensure_ascii=False)})
    return {"conversations": turns} | ({"tools": list(chat.tools)} if chat.tools else {})


def write_alpaca(chat: Chat) -> dict[str, Any]:
    """The chat as an entry of an Alpaca file. Raises DatasetError for one with functions, which that form has no place for."""
    turns = [message for message in chat.messages if message["role"] not in ("system", "developer")]
    roles = [message["role"] for message in turns]
    if (
        chat.tools
        or any("tool_calls" in one for one in (*turns, chat.response))
        or roles[::2] != ["user"] * len(roles[::2])
    ):
        raise DatasetError(
            f"The chat {chat.id!r} has functions or turns that Alpaca's form has no place for.",
            hint="Export as OpenAI chat or ShareGPT.",
        )
    system = "\n".join(str(one["content"]) for one in chat.messages if one["role"] in ("system", "developer"))
    entry: dict[str, Any] = {"instruction": turns[-1]["content"], "input": "", "output": chat.response["content"]}
    history = [[turns[at]["content"], turns[at + 1]["content"]] for at in range(0, len(turns) - 1, 2)]
    return entry | ({"system": system} if system else {}) | ({"history": history} if history else {})


def made(
    row: Mapping[str, Any], messages: list[Message], tools: list[Tool], where: str, rejected: Message | None = None
) -> Chat:
    """The chat of checked messages, whose last one is the answer, and of a worse answer to them.

    Raises DatasetError where nothing is asked or answered.
    """
    if messages[-1]["role"] != "assistant":
        raise DatasetError(
            f"{where}: the last message is the {messages[-1]['role']}'s; a chat ends with the assistant's answer.",
            hint="Add the answer, or remove the row.",
        )
    asked = next((str(one["content"] or "") for one in messages[:-1] if one["role"] == "user"), "")
    if not asked.strip():
        raise DatasetError(f"{where} asks nothing: no user's message stands before the answer.", hint="Remove the row.")
    return Chat(
        id_of(row, messages, tools, *([rejected] if rejected else [])), tuple(messages[:-1]), messages[-1],
        group_of(row, asked), tuple(tools), tuple(str(one) for one in list_of(row, "contexts", where)),
        text_of(row, ("reference",), where),
        text_of(row, ("model",), where), seconds=number_of(row, ("seconds",), where) or 0.0,
        input_tokens=_tokens(row, ("input_tokens", "prompt_tokens"), where),
        output_tokens=_tokens(row, ("output_tokens", "completion_tokens"), where), rejected=rejected or {},
    )  # fmt: skip


def _tokens(row: Mapping[str, Any], names: Sequence[str], where: str) -> int:
    """What the answer took, as a record says it, or as the service told a recorder; 0 where unknown."""
    usage = row.get("usage")
    told = {**(usage if isinstance(usage, Mapping) else {}), **row}
    return int(min(number_of(told, names, where) or 0, MAX_TOKENS))


def _chat(row: Mapping[str, Any], messages: Any, where: str, rejected: Any = None) -> Brought:
    tools = row.get("tools") or row.get("functions")
    if isinstance(tools, str):
        tools = list_of({"tools": tools}, "tools", where)
    found, worse = read_messages(messages, where), None
    if rejected:
        [*_, worse] = read_messages([*found[:-1], rejected], f"{where}, the rejected answer")
        if worse["role"] != "assistant":
            raise DatasetError(
                f"{where}: the rejected answer is the {worse['role']}'s.", hint="It is an assistant's message."
            )
    return Brought(made(row, found, read_tools(tools, where), where, worse), split_of(row, where), where)


def _sharegpt_turn(turn: Any, where: str) -> dict[str, Any]:
    if not isinstance(turn, Mapping) or str(turn.get("from")) not in _ROLES:
        said = turn.get("from") if isinstance(turn, Mapping) else turn
        raise DatasetError(
            f"{where}: {str(said)[:60]!r} is nobody who speaks in a ShareGPT file; there are {', '.join(_ROLES)}.",
            hint="Correct it in the file.",
        )
    role = _ROLES[str(turn["from"])]
    if role != "function_call":
        return {"role": role, "content": turn.get("value")}
    try:
        call = json.loads(turn["value"])
        return {
            "role": "assistant",
            "content": None,
            "function_call": {"name": call["name"], "arguments": call["arguments"]},
        }
    except (KeyError, TypeError, ValueError) as error:
        raise DatasetError(
            f"{where}: a function_call is no JSON with name and arguments: {str(turn.get('value'))[:60]!r}.",
            hint="Correct it in the file.",
        ) from error
