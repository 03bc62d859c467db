"""What tokens cost: prices come from the person, with the day they were looked up, and never from code."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Prices:
    """US dollars for a million tokens, each at least 0 or None where unknown; `on` is the ISO day, "" if never entered."""

    input_usd_per_million: float | None = None
    output_usd_per_million: float | None = None
    on: str = ""

    @property
    def are_known(self) -> bool:
        """Whether both prices were entered."""
        return self.input_usd_per_million is not None and self.output_usd_per_million is not None

    def cost_usd(self, input_tokens: int, output_tokens: int) -> float | None:
        """The price of a call in dollars, or None where a price is unknown."""
        if self.input_usd_per_million is None or self.output_usd_per_million is None:
            return None
        total = input_tokens * self.input_usd_per_million + output_tokens * self.output_usd_per_million
        return total / 1_000_000
