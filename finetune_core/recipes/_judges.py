"""The judges that recipes compare: chat models, each asked as the settings say."""

from typing import Protocol

from finetune_core.evaluation.judging import ChatJudge
from finetune_core.recipe import Run
from finetune_core.recipes import _chats
from finetune_core.training.chat_tuning import TunedChat


class Settings(_chats.Settings, Protocol):
    """The settings that the judges depend on."""

    @property
    def with_feedback(self) -> bool: ...


def chat_judges(config: Settings, model: TunedChat | None, run: Run) -> dict[str, ChatJudge]:
    """The untuned judge, the teacher if one is set, and the tuned one if given."""
    prices = _chats.chat_prices(config, run)
    chats = _chats.chat_systems(config, model, run)
    return {name: ChatJudge(name, chat, config.with_feedback, prices[name]) for name, chat in chats.items()}
