"""Providers: named endpoints made by a person. Keys are read from the environment or `.env` when they are needed."""

import datetime
import re
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from finetune_core import settings
from finetune_core.errors import ProviderError
from finetune_core.providers import openai_calls
from finetune_core.providers.cohere_client import open_cohere
from finetune_core.providers.cohere_embedder import CohereEmbedder
from finetune_core.providers.cohere_reranker import CohereReranker
from finetune_core.providers.openai_chat import open_chat
from finetune_core.providers.openai_client import OpenAIClient
from finetune_core.providers.prices import Prices
from finetune_core.records import ServiceKind
from finetune_core.storage import database, generations
from finetune_core.storage import providers as rows
from finetune_core.storage.generations import ProviderSpend, Spend
from finetune_core.storage.providers import Provider
from finetune_core.training import openai_ending

__all__ = ["Prices", "Provider", "ProviderSpend", "ServiceKind"]

TEST_TIMEOUT_S = 20.0
LOOK_TIMEOUT_S = 5.0
MAX_NAME = 120
PROBE_QUESTION = "What is the capital of France?"
PROBE_PASSAGES = ("Paris is the capital of France.", "Bread is baked from flour and water.")
_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*")
_LOOKS_LIKE_KEY = re.compile(r"^(sk-|gsk_|pk-|key-)|^(?=.*[a-z])(?=.*\d)[A-Za-z0-9_\-.]{20,}$")


@dataclass(frozen=True, slots=True)
class ProviderView:
    """A provider and whether its key is there. `env_line` is the line to add to `.env`, "" if nothing is missing."""

    provider: Provider
    is_key_set: bool
    env_line: str


@dataclass(frozen=True, slots=True)
class ProbeOutcome:
    """What a provider answered to a test: `answer` in its own words or numbers, the seconds it took and the tokens."""

    answer: str
    seconds: float
    input_tokens: int
    output_tokens: int


def listing() -> list[ProviderView]:
    """All providers in order of name; the key's state is looked up now."""
    with database.reading() as connection:
        return [_view(provider) for provider in rows.listing(connection)]


def get(name_or_id: str) -> ProviderView:
    """The provider of that name or id. Raises ProviderError that lists the names there are."""
    with database.reading() as connection:
        found = rows.find(connection, name_or_id)
        known = ", ".join(provider.name for provider in rows.listing(connection)) or "none yet"
    if found is None:
        raise ProviderError(
            f"There is no provider {name_or_id!r}; there are: {known}.", hint="Add it on the Settings page."
        )
    return _view(found)


def save(
    *,
    name: str,
    base_url: str,
    model: str,
    key_variable: str = "",
    kind: str = ServiceKind.OPENAI,
    input_usd_per_million: float | None = None,
    output_usd_per_million: float | None = None,
    usd_per_thousand_searches: float | None = None,
    training_usd_per_million: Mapping[str, float] | None = None,
    prices_on: str = "",
    provider_id: str = "",
) -> Provider:
    """Add a provider, or change the one of `provider_id`. `kind` is "openai" or "cohere": the interface it speaks.

    `training_usd_per_million` has the price of training by model. `prices_on` is the ISO day the prices were looked up,
    today if "" and a price is given. Raises ProviderError that names the field that cannot be right.
    """
    name, base_url, model = " ".join(name.split()), base_url.strip().rstrip("/"), model.strip()
    key_variable = key_variable.strip()
    _check(name, base_url, model, key_variable)
    if kind not in list(ServiceKind):
        raise ProviderError(f"The kind {kind!r} is not known.", hint=f"Choose one of: {', '.join(ServiceKind)}.")
    training = dict(training_usd_per_million or {})
    prices = _prices(input_usd_per_million, output_usd_per_million, usd_per_thousand_searches, training, prices_on)
    with database.writing() as connection:
        taken = rows.find(connection, name)
        if taken is not None and taken.id != provider_id:
            raise ProviderError(f"A provider is called {name!r} already.", hint="Choose another name.")
        return rows.save(connection, provider_id, name, ServiceKind(kind), base_url, model, key_variable, prices)


def delete(provider_id: str) -> None:
    """Forget a provider. What was spent there stays on record."""
    with database.writing() as connection:
        rows.remove(connection, provider_id)


def probe(name_or_id: str) -> ProbeOutcome:
    """Ask the provider for one short answer. Raises ProviderError in the vendor's words if it does not give one."""
    provider = get(name_or_id).provider
    started = time.monotonic()
    text, paid = _probe_cohere(provider) if provider.kind is ServiceKind.COHERE else _probe_chat(provider)
    with database.writing() as connection:
        generations.add_spend(connection, None, None, provider.name, paid)
    return ProbeOutcome(text, time.monotonic() - started, paid.input_tokens, paid.output_tokens)


def _probe_chat(provider: Provider) -> tuple[str, Spend]:
    chat = open_chat(provider.base_url, provider.model, provider.key_variable, timeout_s=TEST_TIMEOUT_S, max_attempts=1)
    try:
        reply = chat.complete([{"role": "user", "content": "Answer with one word: ready"}], max_tokens=64)
    finally:
        chat.close()
    cost = provider.prices.cost_usd(reply.input_tokens, reply.output_tokens)
    return reply.text.strip(), Spend(reply.input_tokens, reply.output_tokens, cost)


def _probe_cohere(provider: Provider) -> tuple[str, Spend]:
    """Two passages ranked, or a text embedded by a model whose name says that it embeds."""
    client = open_cohere(provider.base_url, provider.key_variable, timeout_s=TEST_TIMEOUT_S, max_attempts=1)
    try:
        if "embed" in provider.model:
            paid: list[int] = []
            vectors = CohereEmbedder(client, provider.model, paid.append).encode_queries([PROBE_PASSAGES[0]])
            return f"A vector of {vectors.shape[1]:,} numbers.", Spend.of(provider.prices, 0, sum(paid), 0)
        with tempfile.TemporaryDirectory() as unkept:
            reranker = CohereReranker(client, provider.model, Path(unkept))
            scores = reranker.score(PROBE_QUESTION, PROBE_PASSAGES)
        said = "\n".join(f"{score:.3f}  {passage}" for score, passage in zip(scores, PROBE_PASSAGES, strict=True))
        return said, Spend(cost_usd=provider.prices.searches_cost_usd(reranker.num_searches))
    finally:
        client.close()


def spent() -> list[ProviderSpend]:
    """What each provider was paid so far, over all projects."""
    with database.reading() as connection:
        return generations.spent_by_provider(connection)


def _view(provider: Provider) -> ProviderView:
    is_set = not provider.key_variable or bool(settings.secret(provider.key_variable))
    return ProviderView(provider, is_set, "" if is_set else f"{provider.key_variable}=your-key")


def _check(name: str, base_url: str, model: str, key_variable: str) -> None:
    if not 1 <= len(name) <= MAX_NAME:
        raise ProviderError(f"A name has 1 to {MAX_NAME} characters; this one has {len(name)}.", hint="Choose another.")
    parts = urlsplit(base_url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ProviderError(
            f"The base URL {base_url!r} is not an address.", hint="Give one such as https://api.openai.com/v1."
        )
    if parts.username or parts.password or parts.query:
        raise ProviderError(
            "The base URL may hold no user, password or parameters: it is stored and shown.",
            hint="Put the key into an environment variable and name that.",
        )
    if not model:
        raise ProviderError("The model's name is empty.", hint="Give the name the service knows it by.")
    if key_variable and not _VARIABLE.fullmatch(key_variable):
        # The value is not repeated: whoever mistakes the field types the key itself into it.
        shown = "what was entered" if _LOOKS_LIKE_KEY.search(key_variable) else repr(key_variable)
        raise ProviderError(
            f"The name of the key's variable holds capitals, digits and underscores only; {shown} does not.",
            hint="Name the variable, such as OPENAI_API_KEY; the key itself belongs into .env.",
        )


def training_prices(text: str) -> dict[str, float]:
    """The prices of training by model, from lines such as "gpt-4.1-mini 5.00": dollars for a million tokens.

    Raises ProviderError that names the line that is no model with its price.
    """
    found: dict[str, float] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        model, _, price = line.strip().rstrip("$").replace("\t", " ").rpartition(" ")
        model = model.strip().rstrip(":=").strip()
        if not line.strip():
            continue
        try:
            if not model or model in found:
                raise ValueError
            found[model] = float(price.lstrip("$"))
        except ValueError as error:
            reason = f"names {model} again" if model in found else "is no model with its price"
            raise ProviderError(
                f"Line {number} of the prices of training, {line.strip()[:80]!r}, {reason}.",
                hint='Write a model a line and its price in dollars behind it, such as "gpt-4.1-mini 5.00".',
            ) from error
    return found


def training_prices_text(prices: Prices) -> str:
    """What `training_prices` reads."""
    return "\n".join(f"{model} {price:g}" for model, price in prices.training_usd_per_million.items())


def ending(provider: Provider) -> str:
    """What to know before a model is tuned at a provider; "" for nothing."""
    return openai_ending.ending(provider.base_url)


def shutdown_date(name_or_id: str, model: str) -> datetime.date | None:
    """The day on which the provider will stop serving a model, asked of it now; None where it does not say in a few seconds."""
    provider = get(name_or_id).provider
    try:
        key = openai_calls.key_of(provider.base_url, model, provider.key_variable)
    except ProviderError:
        return None
    client = OpenAIClient(provider.base_url, model, key, timeout_s=LOOK_TIMEOUT_S, max_attempts=1)
    try:
        return openai_ending.shutdown_date(client, model)
    finally:
        client.close()


def _prices(
    input_usd: float | None, output_usd: float | None, searches_usd: float | None, training: dict[str, float], on: str
) -> Prices:
    for price in (input_usd, output_usd, searches_usd, *training.values()):
        if price is not None and not 0 <= price <= 1_000_000:
            raise ProviderError(
                f"A price of {price} dollars is not possible.",
                hint="Give dollars for a million tokens, or for a thousand searches.",
            )
    if input_usd is None and output_usd is None and searches_usd is None and not training:
        return Prices()
    try:
        day = datetime.date.fromisoformat(on) if on else datetime.date.today()
    except ValueError as error:
        raise ProviderError(f"{on!r} is not a day.", hint="Write it as 2026-11-22.") from error
    return Prices(input_usd, output_usd, day.isoformat(), searches_usd, training)
