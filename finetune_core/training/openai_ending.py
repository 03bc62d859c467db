"""When OpenAI's own fine-tuning ends. Services that speak the same API go on; what each says of a model is asked of it."""

import datetime
from urllib.parse import urlsplit

from finetune_core.errors import ProviderError
from finetune_core.providers.chat import Checkpoint
from finetune_core.providers.openai_client import OpenAIClient

HOST = "api.openai.com"
ENDING = (
    "OpenAI is closing its fine-tuning. Since 7 May 2026 it takes no jobs of organisations new to it, since 2 July 2026 "
    "none of those that had not used it lately, and after 6 January 2027 none of anyone. The models gpt-4o and gpt-4.1, and "
    "all that were tuned from them, shut down on 14 January 2027; gpt-3.5-turbo and gpt-4 did on 23 October 2026."
)
"""As announced by the vendor; looked up in November 2026."""


def ending(base_url: str) -> str:
    """What a person has to know before a model is tuned at that address; "" for any other service than OpenAI's own."""
    return ENDING if (urlsplit(base_url).hostname or "").lower() == HOST else ""


def shutdown_date(client: OpenAIClient, model: str, checkpoint: Checkpoint | None = None) -> datetime.date | None:
    """The day on which the service will stop serving a model, as its models API says; None where it does not say."""
    try:
        found = client.ask(lambda api: api.models.retrieve(model), checkpoint)
        return datetime.date.fromisoformat(str(found.shutdown_date)[:10]) if found.shutdown_date else None
    except (ProviderError, ValueError, AttributeError):
        return None  # many compatible services list no models, or say nothing of their end
