"""Questions to the shop in words that no model knows, and a tiny chat model tuned to answer them in SQL."""

import pytest

from finetune_core.records import Part, Split, SplitName, SqlQuestion
from tests.shop_database import shared_shop
from tests.training_fixtures import CODES, RecordedRun, Trained

TINY_SQL_CONFIG = {
    "epochs": 25, "batch_size": 4, "learning_rate": 5e-3, "evaluations": 3, "patience": 0, "seed": 1, "max_answer_tokens": 12,
}  # fmt: skip


def tiny_sql_split() -> Split[SqlQuestion]:
    """What each code word asks for is true only in this data, and has to be known by heart: the parts ask the same."""

    def part(name: SplitName, every: int = 1) -> Part[SqlQuestion]:
        return Part(
            name,
            tuple(
                SqlQuestion(
                    id=f"{name}-{code}",
                    question=" ".join([code] * 8),  # as a tiny model listens to what is said often,
                    schema="CREATE TABLE t (a INT)",
                    sql=f"SELECT {at + 1}",
                    group=f"shop-{code}",
                    database=f"sqlite:///{shared_shop()}",
                )
                for at, code in enumerate(CODES[::every])
            ),
        )

    return Split(part(SplitName.TRAIN), part(SplitName.VALIDATION, 2), part(SplitName.TEST), "tiny sql")


@pytest.fixture(scope="session")
def trained_sql(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A random chat model of two layers, tuned to answer `tiny_sql_split()` by heart in a few seconds."""
    import torch

    from finetune_core import recipes
    from finetune_core.evaluation.sql import sql_messages
    from tests.tiny_transformer import save_tiny_chat

    torch.set_num_threads(1)
    recipe, split = recipes.get("text_to_sql"), tiny_sql_split()
    texts = [f"{sql_messages(each, 1000)[0]['content']} {each.sql}" for each in split.train.examples]
    base = save_tiny_chat(tmp_path_factory.mktemp("tiny-sql") / "model", texts)
    config = recipe.config(base_model=str(base), **TINY_SQL_CONFIG)
    run = RecordedRun(tmp_path_factory.mktemp("trained-sql"), seed=1)
    return Trained(run, split, config, recipe.train(split, config, run))
