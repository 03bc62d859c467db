"""Which languages of a project a model has not learned."""

from dataclasses import dataclass

from finetune_core.providers.bundled import KNOWN_LANGUAGES
from finetune_core.storage import database, languages
from finetune_core.storage.languages import TextKind

__all__ = ["TextKind"]


@dataclass(frozen=True)
class Unknown:
    """A language by its code ("tr"), and how many texts of that kind are in it."""

    language: str
    kind: TextKind
    num: int


def unknown(project_id: str, base_model: str) -> tuple[Unknown, ...]:
    """What `base_model` has not learned of the documents, imported passages and labelled queries.

    () where all is well, or where nobody knows what the model has learned.
    """
    known = KNOWN_LANGUAGES.get(base_model)
    if known is None:
        return ()
    with database.reading() as connection:
        counts = languages.found(connection, project_id)
    return tuple(Unknown(code, kind, num) for (kind, code), num in counts.items() if code and code not in known)
