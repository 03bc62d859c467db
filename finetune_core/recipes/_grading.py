"""Who grades answers: any chat by ragas' metrics, or a tuned judge of correctness together with its calibration."""

from collections.abc import Callable

from finetune_core.evaluation.correctness_grades import calibration_of, correctness_graded
from finetune_core.evaluation.judging import ChatJudge
from finetune_core.evaluation.ragas_answers import judged
from finetune_core.providers.chat import Chat as ChatModel
from finetune_core.providers.embedder import Embedder
from finetune_core.recipe import Prices, Report, Resources, Run
from finetune_core.recipes._chats import open_chat
from finetune_core.records import MODEL_REFERENCE, SERVICE_REFERENCE, Chat, Part

Opened = Callable[[str, Run], ChatModel]


def check_judge(reference: str, run: Resources) -> None:
    """Raise ArtefactError if the judge is a tuned model that nobody compared, or that is no judge of correctness."""
    if reference.startswith(MODEL_REFERENCE):
        model_id = reference.removeprefix(MODEL_REFERENCE)
        calibration_of(model_id, run.measured(model_id))


def graded(
    report: Report,
    part: Part[Chat],
    reference: str,
    embedder: Embedder,
    run: Run,
    *,
    max_answers: int,
    opened: Opened = open_chat,
) -> Report:
    """The report with the grades that the judge of that reference gives to `max_answers` answers.

    A tuned judge ("model:ID") grades correctness on its own scale; whatever else is named grades by ragas' metrics.
    `opened` opens the judge. Raises ArtefactError for a tuned judge without calibration, and what opening and asking raise.
    """
    if not reference.startswith(MODEL_REFERENCE):
        judge = opened(reference, run)
        try:
            prices = judge_prices(reference, run)
            return judged(report, part, judge, embedder, run, max_answers=max_answers, prices=prices)
        finally:
            judge.close()
    model_id = reference.removeprefix(MODEL_REFERENCE)
    found = run.measured(model_id)
    calibration = calibration_of(model_id, found)
    assert found is not None, "without it there is no calibration"
    chat = opened(reference, run)
    try:
        tuned = ChatJudge(found.name, chat, bool(found.config.get("with_feedback")))
        return correctness_graded(report, part, tuned, calibration, run, max_answers=max_answers)
    finally:
        chat.close()


def judge_prices(reference: str, run: Resources) -> Prices | None:
    """What a judge charges for tokens; None for one on this machine."""
    is_service = reference.startswith(SERVICE_REFERENCE)
    return run.service(reference.removeprefix(SERVICE_REFERENCE)).prices if is_service else None
