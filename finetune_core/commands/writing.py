"""What commands share that have a model write: what it takes is said first, then it is done, in view or not."""

from typing import Annotated, Any

import typer

from finetune_core.commands.output import emit, note, wait_and_tell
from finetune_core.workspace.generation import Estimate

Provider = Annotated[str, typer.Option(help="Name of the provider, for endpoint.")]
Gguf = Annotated[str, typer.Option(help="Model file, for gguf; the bundled one if empty.")]
MaxTokens = Annotated[int | None, typer.Option(help="Hard cap on tokens, input and output together.")]
MaxUsd = Annotated[float | None, typer.Option(help="Hard cap on money.")]
Parallel = Annotated[int, typer.Option(help="Calls at once, for endpoint.")]
Seed = Annotated[int, typer.Option(help="Seeds the sample and the model.")]
OnlyEstimate = Annotated[bool, typer.Option("--estimate", help="Only say what it would take.")]
Wait = Annotated[bool, typer.Option(help="Wait for the end; without it the job's id is printed.")]


def write(
    writing: Any, here: str, params: Any, noun: str, over: str, *, only_estimate: bool, wait: bool, as_json: bool
) -> None:
    """Say what it takes, and unless only that is wanted, do it.

    `writing` is the module of the workspace with `estimate` and `start`; `noun` names what is written, `over` about what, in
    plural. Exits with 1 and the job's words if it did not end well.
    """
    seen = writing.estimate(here, params)
    said = _sentence(seen, noun, over)
    if only_estimate:
        emit(seen, as_json, said)
        return
    note(said)
    job_id = writing.start(here, params)
    if not wait:
        emit({"job": job_id, "state": "queued"}, as_json, job_id)
        return
    view = wait_and_tell(job_id, may_stop=True)
    kept = {name: num for name, num in view.result.get("set_aside", {}).items() if num}
    text = f"{view.result.get('num_written', 0)} {noun} written; set aside: {kept or 'none'}."
    emit({"job": job_id, "state": view.state, **view.result}, as_json, text)


def _sentence(seen: Estimate, noun: str, over: str) -> str:
    money = "at a price nobody entered" if seen.cost_usd is None else f"about ${seen.cost_usd:.4f}"
    return (
        f"{seen.num_questions - seen.num_done} {noun} over {seen.num_chunks} {over} in {seen.num_calls} calls: about "
        f"{seen.input_tokens + seen.output_tokens:,} tokens, {money}, {seen.seconds:.0f} s ({seen.basis})."
    )
