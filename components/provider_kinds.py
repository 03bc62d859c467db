"""What the form of a provider offers for each kind of service."""

from dataclasses import dataclass

from components.text import t


@dataclass(frozen=True, slots=True)
class ProviderKind:
    """What the form offers for one kind of service; the examples are shown in empty fields."""

    title: str
    model: str
    example_url: str
    example_variable: str
    default_url: str = ""
    default_variable: str = ""


def provider_kinds() -> dict[str, ProviderKind]:
    """Every kind by the name it is kept under."""
    url = "https://api.cohere.com"
    return {
        "openai": ProviderKind(t("OpenAI-compatible"), "gpt-5-mini", "https://api.openai.com/v1", "OPENAI_API_KEY"),
        "cohere": ProviderKind(t("Cohere"), "rerank-v3.5", url, "CO_API_KEY", url, "CO_API_KEY"),
    }
