"""What tokens and searches cost: prices come from the person, with the day they were looked up, and never from code."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Prices:
    """US dollars for a million tokens or a thousand searches, each at least 0 or None where unknown.

    A search is one question ranked against up to a hundred passages, which is what rerank services charge for.
    `training_usd_per_million` has what a service that tunes takes for a million tokens trained on, by the model's name
    there. `on` is the ISO day the prices were looked up, "" if never entered.
    """

    input_usd_per_million: float | None = None
    output_usd_per_million: float | None = None
    on: str = ""
    usd_per_thousand_searches: float | None = None
    training_usd_per_million: Mapping[str, float] = field(default_factory=dict, hash=False)

    @property
    def are_known(self) -> bool:
        """Whether both prices of tokens were entered."""
        return self.input_usd_per_million is not None and self.output_usd_per_million is not None

    def cost_usd(self, input_tokens: int, output_tokens: int) -> float | None:
        """The price of a call in dollars, or None where a price is unknown that it takes: an embedding has no output."""
        asked = ((input_tokens, self.input_usd_per_million), (output_tokens, self.output_usd_per_million))
        if any(price is None for num_tokens, price in asked if num_tokens):
            return None
        return sum(num_tokens * (price or 0.0) for num_tokens, price in asked) / 1_000_000

    def searches_cost_usd(self, num_searches: float) -> float | None:
        """The price of that many searches in dollars, or None where it is unknown."""
        return None if self.usd_per_thousand_searches is None else num_searches * self.usd_per_thousand_searches / 1000

    def training_cost_usd(self, model: str, num_tokens: int) -> float | None:
        """The price of training that model on so many tokens, each epoch counted, or None where it is unknown."""
        price = self.training_usd_per_million.get(model)
        return None if price is None else num_tokens * price / 1_000_000
