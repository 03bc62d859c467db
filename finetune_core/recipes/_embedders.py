"""Which embedder a setting names: any model, another tuned model of the project, or a model service."""

from finetune_core.errors import ProviderError
from finetune_core.providers.adapted_embedder import AdaptedEmbedder
from finetune_core.providers.cohere_client import open_cohere
from finetune_core.providers.cohere_embedder import CohereEmbedder
from finetune_core.providers.embedder import Embedder, LocalEmbedder, own_prefixes
from finetune_core.providers.openai_calls import key_of
from finetune_core.providers.openai_embedder import OpenAIEmbedder
from finetune_core.providers.vector_cache import CachedEmbedder
from finetune_core.recipe import Resources
from finetune_core.recipes import embedding
from finetune_core.records import MODEL_REFERENCE, SERVICE_REFERENCE, ServiceKind
from finetune_core.training import adapted

OpenedEmbedder = CachedEmbedder | AdaptedEmbedder
"""An embedder behind the cache of vectors, or an adapter behind one; its attribute `embedder` is the same past the cache."""


def open_embedder(reference: str, run: Resources, max_tokens: int | None = None) -> OpenedEmbedder:
    """The embedder behind the run's cache of vectors.

    `reference` is a base model as `EmbeddingConfig.base_model` takes it (its own prefixes apply, texts are cut at
    `max_tokens`), or "model:" and the id of a model that the recipe `embedding` or `embedding_adapter` tuned (its own
    prefixes and limit), or "service:" and the name of a model service. Raises ArtefactError or ProviderError if it is
    not there, or the service's key is not.
    """
    if reference.startswith(SERVICE_REFERENCE):
        return CachedEmbedder(_service(reference.removeprefix(SERVICE_REFERENCE), run), run.cache)
    if not reference.startswith(MODEL_REFERENCE):
        return CachedEmbedder(LocalEmbedder(reference, *own_prefixes(reference), max_tokens), run.cache)
    folder = run.model_folder(reference.removeprefix(MODEL_REFERENCE))
    if (folder / adapted.SETTINGS_FILE).is_file():
        model = adapted.AdapterModel.load(folder)
        return model.embedder(open_embedder(model.settings.base_model, run, model.settings.max_tokens))
    if not (folder / embedding.SETTINGS_FILE).is_file():
        raise ProviderError(
            f"{reference!r} is no embedding model.",
            hint="Choose a model that the recipe for embedding models or for adapters tuned.",
        )
    return CachedEmbedder(embedding.load(folder, run).embedder(), run.cache)


def _service(name: str, run: Resources) -> Embedder:
    service = run.service(name)

    def on_paid(num_tokens: int) -> None:
        run.spend(service.name, input_tokens=num_tokens)

    if service.kind is ServiceKind.COHERE:
        return CohereEmbedder(open_cohere(service.base_url, service.key_variable), service.model, on_paid)
    key = key_of(service.base_url, service.model, service.key_variable)
    return OpenAIEmbedder(service.base_url, service.model, key, on_paid=on_paid)
