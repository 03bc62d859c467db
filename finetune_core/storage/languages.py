"""In which languages a project's texts are: documents know theirs; imports and labelled queries are sampled."""

from enum import StrEnum

from sqlalchemy import Connection, func, select

from finetune_core.corpus.language import detect_language
from finetune_core.storage.documents import num_by_language
from finetune_core.storage.tables import chunk, labelled

SAMPLE = 200


class TextKind(StrEnum):
    """What is counted."""

    DOCUMENT = "document"
    PASSAGE = "passage"
    QUERY = "query"


def found(connection: Connection, project_id: str) -> dict[tuple[TextKind, str], int]:
    """How many texts of each kind are in each language, "" where nobody knows; {} for an empty project.

    An import, and the labelled queries together, are in the language of their first 200 texts.
    """
    counts = {(TextKind.DOCUMENT, code): num for code, num in num_by_language(connection, project_id).items()}
    mine = (chunk.c.project_id == project_id) & (chunk.c.origin != "") & chunk.c.excluded.is_(False)
    for origin, num in connection.execute(select(chunk.c.origin, func.count()).where(mine).group_by(chunk.c.origin)):
        texts = select(chunk.c.text).where(mine, chunk.c.origin == origin).order_by(chunk.c.seq).limit(SAMPLE)
        key = TextKind.PASSAGE, detect_language("\n".join(connection.scalars(texts)))
        counts[key] = counts.get(key, 0) + int(num)
    own = labelled.c.project_id == project_id
    if num_queries := connection.scalar(select(func.count()).select_from(labelled).where(own)):
        queries = connection.scalars(select(labelled.c.query).where(own).order_by(labelled.c.seq).limit(SAMPLE))
        counts[TextKind.QUERY, detect_language("\n".join(queries))] = int(num_queries)
    return counts
