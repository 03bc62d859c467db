"""A project with documents to ask about, and a provider behind the loopback service."""

import pytest

from finetune_core.corpus.chunking import NewChunk
from finetune_core.records import content_id
from finetune_core.storage import database, documents
from finetune_core.storage.documents import NewDocument
from finetune_core.workspace import projects, providers
from tests.vendors.server import KEY, Vendor

SENTENCE = "The {animal} keeps {num} lanterns in the cellar because the winter in chapter {part} is long and dark."


def corpus(num_documents: int = 3, num_parts: int = 4, held_out: str = "") -> str:
    """A project whose chunks all differ; the document called `held_out` is never to be asked about."""
    project_id = projects.create("Lanterns").id
    with database.writing() as connection:
        for number in range(num_documents):
            name = f"animal{number}"
            texts = [SENTENCE.format(animal=name, num=10 + part, part=part) for part in range(num_parts)]
            document = NewDocument(
                id=content_id("document", name), name=name, title=name, media_type="text/plain", text=" ".join(texts),
                sections=(), held_out=name == held_out,
            )  # fmt: skip
            chunks = [NewChunk(content_id("chunk", text), part, "", text, 20) for part, text in enumerate(texts)]
            documents.insert_document(connection, project_id, document, chunks)
    return project_id


def provider(vendor: Vendor, monkeypatch: pytest.MonkeyPatch, **prices: float) -> str:
    """A provider at the loopback service, its key in the environment; returns its name."""
    monkeypatch.setenv("LOOPBACK_API_KEY", KEY)
    saved = providers.save(
        name="Loopback", base_url=vendor.url, model="gpt-test", key_variable="LOOPBACK_API_KEY", **prices
    )
    return saved.name
