"""JSON, JSONL and e-mail to text."""

import email
import email.policy
import json
from collections.abc import Iterator
from typing import Any

from finetune_core.corpus.parsed import Parsed, number_ranges
from finetune_core.corpus.sections import clean_text
from finetune_core.errors import CorpusError

_MAX_DEPTH = 40


def parse_json(text: str) -> Parsed:
    """A JSON document, one line a value, records apart; raises CorpusError if it is not valid JSON or says nothing."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CorpusError(
            f"This is not valid JSON: {error}.", hint="Check whether the file was cut off, or save it as plain text."
        ) from error
    records = content if isinstance(content, list) else [content]
    return _from_records(records, "application/json", (), "")


def parse_json_lines(text: str) -> Parsed:
    """One JSON value a line; lines that are not JSON are named as missing.

    Raises CorpusError if no line is JSON.
    """
    records, missing = [], []
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            try:
                records.append(json.loads(line))
            except (ValueError, RecursionError):
                missing.append(number)
    if not records:
        raise CorpusError(
            f"None of the {len(missing)} lines is valid JSON.", hint="Check the file, or save it as plain text."
        )
    reason = f"Lines that are not valid JSON: {number_ranges(tuple(missing))}" if missing else ""
    return _from_records(records, "application/jsonl", tuple(missing), reason)


def parse_email(data: bytes) -> Parsed:
    """Subject, sender, date and the plain (else the HTML) body of an e-mail; attachments are left out."""
    message = email.message_from_bytes(data, policy=email.policy.default)
    body = message.get_body(preferencelist=("plain", "html"))
    content = str(body.get_content()) if body is not None else ""
    if body is not None and body.get_content_type() == "text/html":
        from bs4 import BeautifulSoup

        content = BeautifulSoup(content, "html.parser").get_text("\n")
    head = [f"{name}: {message[name]}" for name in ("Subject", "From", "To", "Date") if message[name]]
    text = clean_text("\n".join(head) + "\n\n" + content)
    if not text.strip():
        raise CorpusError("The e-mail has neither a subject nor a body.", hint="Check that this is the right file.")
    return Parsed(text, (), "message/rfc822", title=clean_text(str(message["Subject"] or ""))[:200])


def _from_records(records: list[Any], media_type: str, missing: tuple[int, ...], reason: str) -> Parsed:
    text = clean_text("\n\n".join("\n".join(_lines(record, "", 0)) for record in records))
    if not text.strip():
        raise CorpusError("The file holds no values.", hint="Check that this is the right file.")
    return Parsed(text, (), media_type, missing=missing, reason=reason)


def _lines(value: Any, name: str, depth: int) -> Iterator[str]:
    """ "path: value" for every leaf that says something."""
    if depth > _MAX_DEPTH:
        yield f"{name}: ..."
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _lines(inner, f"{name} {key}".strip(), depth + 1)
    elif isinstance(value, list):
        if value and all(not isinstance(one, dict | list) for one in value):
            yield from _lines(", ".join(str(one) for one in value), name, depth + 1)
        else:
            for inner in value:
                yield from _lines(inner, name, depth + 1)
    elif value is not None and str(value).strip():
        yield f"{name}: {value}" if name else str(value)
