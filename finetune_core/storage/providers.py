"""Named endpoints: where they are and which variable holds their key; never the key itself."""

import uuid
from dataclasses import dataclass

from sqlalchemy import Connection, Row, delete, insert, or_, select, update

from finetune_core.errors import ProviderError
from finetune_core.providers.prices import Prices
from finetune_core.records import ServiceKind
from finetune_core.storage.database import now
from finetune_core.storage.tables import provider


@dataclass(frozen=True, slots=True)
class Provider:
    """A model service under a name. `key_variable` is "" where the service asks for no key."""

    id: str
    name: str
    kind: ServiceKind
    base_url: str
    model: str
    key_variable: str
    prices: Prices


def listing(connection: Connection) -> list[Provider]:
    """All providers in order of name."""
    return [_provider(row) for row in connection.execute(select(provider).order_by(provider.c.name))]


def find(connection: Connection, name_or_id: str) -> Provider | None:
    """The provider of that id or name, or None."""
    row = connection.execute(
        select(provider).where(or_(provider.c.id == name_or_id, provider.c.name == name_or_id))
    ).first()
    return _provider(row) if row else None


def get(connection: Connection, name_or_id: str) -> Provider:
    """The provider of that id or name. Raises ProviderError if there is none."""
    found = find(connection, name_or_id)
    if found is None:
        raise ProviderError(f"There is no provider {name_or_id!r}.", hint="Choose one, or add it on the Settings page.")
    return found


def save(
    connection: Connection,
    provider_id: str,
    name: str,
    kind: ServiceKind,
    base_url: str,
    model: str,
    key_variable: str,
    prices: Prices,
) -> Provider:
    """Change the provider of that id, or add one if it is ""; return it as stored."""
    values = {
        "name": name,
        "kind": kind.value,
        "base_url": base_url,
        "model": model,
        "key_variable": key_variable,
        "input_usd_per_million": prices.input_usd_per_million,
        "output_usd_per_million": prices.output_usd_per_million,
        "usd_per_thousand_searches": prices.usd_per_thousand_searches,
        "training_usd_per_million": dict(prices.training_usd_per_million),
        "prices_on": prices.on,
    }
    if provider_id:
        connection.execute(update(provider).where(provider.c.id == provider_id).values(values))
    else:
        provider_id = uuid.uuid4().hex[:12]
        connection.execute(insert(provider).values(id=provider_id, created_at=now(), **values))
    return Provider(provider_id, name, kind, base_url, model, key_variable, prices)


def remove(connection: Connection, provider_id: str) -> None:
    """Delete a provider; what was spent there stays on record."""
    connection.execute(delete(provider).where(provider.c.id == provider_id))


def _provider(row: Row[tuple[object, ...]]) -> Provider:
    prices = Prices(
        row.input_usd_per_million,
        row.output_usd_per_million,
        row.prices_on,
        row.usd_per_thousand_searches,
        row.training_usd_per_million,
    )
    return Provider(row.id, row.name, ServiceKind(row.kind), row.base_url, row.model, row.key_variable, prices)
