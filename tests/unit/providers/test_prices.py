from finetune_core.providers.prices import Prices


def test_cost_is_tokens_times_price() -> None:
    assert Prices(2.0, 8.0).cost_usd(500_000, 250_000) == 3.0
    assert Prices(0.0, 0.0).cost_usd(10, 10) == 0.0
    assert Prices(2.0, None).cost_usd(500_000, 0) == 1.0, "what embeds writes nothing"


def test_an_unknown_price_is_no_price() -> None:
    assert Prices(2.0, None).cost_usd(1, 1) is None
    assert not Prices(None, 1.0).are_known
