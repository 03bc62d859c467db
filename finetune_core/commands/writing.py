"""What commands share that have a model write: what it takes is said first, then it is done, in view or not."""

from collections.abc import Callable
from typing import Annotated, Any, Protocol

import typer

from finetune_core.commands.output import emit, note, wait_and_tell
from finetune_core.wording import counted
from finetune_core.workspace.generation import Estimate
from finetune_core.workspace.jobs import JobView

Provider = Annotated[str, typer.Option(help="Name of the provider, for endpoint.")]
Gguf = Annotated[str, typer.Option(help="Model file, for gguf; the bundled one if empty.")]
MaxTokens = Annotated[int | None, typer.Option(help="Hard cap on tokens, input and output together.")]
MaxUsd = Annotated[float | None, typer.Option(help="Hard cap on money.")]
Parallel = Annotated[int, typer.Option(help="Calls at once, for endpoint.")]
Seed = Annotated[int, typer.Option(help="Seeds the sample and the model.")]
OnlyEstimate = Annotated[bool, typer.Option("--estimate", help="Only say what it would take.")]
Wait = Annotated[bool, typer.Option(help="Wait for the end; without it the job's id is printed.")]


class Effort(Protocol):
    """What estimates have in common."""

    @property
    def num_calls(self) -> int: ...
    @property
    def cost_usd(self) -> float | None: ...
    @property
    def seconds(self) -> float: ...
    @property
    def basis(self) -> str: ...


def write(
    writing: Any, here: str, params: Any, noun: str, subject: str, *, only_estimate: bool, wait: bool, as_json: bool
) -> None:
    """Say what it takes, and unless only that is wanted, do it.

    `writing` is the module of the workspace with `estimate` and `start`; `noun` names what is written, `subject` about what,
    each in the singular. Exits with 1 and the job's words if it did not end well.
    """
    seen: Estimate = writing.estimate(here, params)
    what = f"{counted(seen.num_questions - seen.num_done, noun)} over {counted(seen.num_chunks, subject)}"
    said = f"{what} {effort_text(seen, seen.input_tokens + seen.output_tokens)}"
    view = carried_out(
        seen, said, lambda: writing.start(here, params), only_estimate=only_estimate, wait=wait, as_json=as_json,
        may_stop=True,
    )  # fmt: skip
    if view is None:
        return
    kept = {name: num for name, num in view.result.get("set_aside", {}).items() if num}
    text = f"{counted(view.result.get('num_written', 0), noun)} written; set aside: {kept or 'none'}."
    emit({"job": view.id, "state": view.state, **view.result}, as_json, text)


def carried_out(
    seen: Any,
    said: str,
    start: Callable[[], str],
    *,
    only_estimate: bool,
    wait: bool,
    as_json: bool,
    may_stop: bool = False,
) -> JobView | None:
    """Say what was `seen` to be needed, in words `said`, and unless only that is wanted, start the job.

    Returns the job at its end, None where nobody waits for one. `may_stop` as for `wait_and_tell`.
    """
    if only_estimate:
        emit(seen, as_json, said)
        return None
    note(said)
    job_id = start()
    if not wait:
        emit({"job": job_id, "state": "queued"}, as_json, job_id)
        return None
    return wait_and_tell(job_id, may_stop=may_stop)


def effort_text(seen: Effort, num_tokens: int) -> str:
    """Calls, tokens, money and time in words."""
    money = "at a price nobody entered" if seen.cost_usd is None else f"about ${seen.cost_usd:.4f}"
    return f"in {counted(seen.num_calls, 'call')}: about {num_tokens:,} tokens, {money}, {seen.seconds:.0f} s ({seen.basis})."
