"""`panel`: one language model answers from what two retrieval systems of a comparison find, and the answers are graded."""

from typing import Annotated

import typer

from finetune_core.commands.compare import change_text
from finetune_core.commands.output import Json, Project, emit, fail, project_id
from finetune_core.commands.writing import MaxTokens, MaxUsd, OnlyEstimate, Seed, Wait, carried_out, effort_text
from finetune_core.wording import counted
from finetune_core.workspace import comparisons, panels
from finetune_core.workspace.comparisons import ComparisonView
from finetune_core.workspace.panels import PanelView


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(panel)


def panel(
    project: Project,
    comparison: Annotated[
        str, typer.Option("--comparison", help="Id of a finished comparison, as `compare` prints it.")
    ],
    before: Annotated[str, typer.Option("--before", help="A system of it by key or name; the base if empty.")] = "",
    after: Annotated[str, typer.Option("--after", help="Another one; the tuned one of the verdict if empty.")] = "",
    chat: Annotated[
        str, typer.Option("--chat", help="Who answers: bundled/…, a folder, *.gguf, service:NAME or model:ID.")
    ] = panels.BUNDLED_CHAT,
    judge: Annotated[
        str, typer.Option("--judge", help="Who grades, named alike; without it only what needs no judge is measured.")
    ] = "",
    questions: Annotated[int, typer.Option("--questions", help="How many of the test questions.")] = 50,
    top_k: Annotated[int, typer.Option("--top-k", help="Passages in the prompt.")] = 5,
    max_tokens: MaxTokens = None,
    max_usd: MaxUsd = None,
    seed: Seed = 0,
    estimate: OnlyEstimate = False,
    wait: Wait = True,
    as_json: Json = False,
) -> None:
    """Have the questions answered over what each of two systems finds; say what the better passages are worth."""
    here = project_id(project)
    view = comparisons.get(here, comparison)
    params = panels.params_from(
        {
            "comparison_id": view.id, "before": _key(view, before or view.tuned[0]["against"]),
            "after": _key(view, after or view.tuned[0]["key"]), "chat": chat, "judge": judge,
            "num_questions": questions, "top_k": top_k, "max_tokens": max_tokens, "max_cost_usd": max_usd, "seed": seed,
        }
    )  # fmt: skip
    seen = panels.estimate(here, params)
    said = f"{counted(seen.num_questions, 'question')} {effort_text(seen, seen.num_tokens)}"
    done = carried_out(
        seen, said, lambda: panels.launch(here, params), only_estimate=estimate, wait=wait, as_json=as_json
    )
    if done is None:
        return
    found = next(one for one in panels.listing(comparisons.get(here, view.id)) if one.id == done.result["panel_id"])
    emit({"panel": found.id, **found.summary}, as_json, _text(found))


def _key(view: ComparisonView, named: str) -> str:
    known = panels.systems(view)
    for key, name in known.items():
        if named in (key, name):
            return key
    fail(f"{named!r} finds no passages in this comparison.", f"Name one of: {', '.join(known.values()) or 'none'}.")


def _text(found: PanelView) -> str:
    """A table of the metrics with the intervals of what changed, and what a person should know."""
    titles, summary = panels.titles(found), found.summary
    width = max((len(title) for title in titles.values()), default=0) + 2
    lines = [
        " " * width + f"{found.before['name'][:24]:>26}{found.after['name'][:24]:>26}     change (interval), p (Holm)"
    ]
    for name, title in titles.items():
        one = summary["metrics"][name]
        lines.append(
            f"{title:<{width}}{one['before']:>26.3f}{one['after']:>26.3f}     {change_text(one['interval'])}, "
            f"{one['p_value']:.3f}; not scored: {one['num_failed']}"
        )
    same = f"for {summary['num_same_passages']} both found the same passages."
    lines.append(f"{counted(summary['num_questions'], 'question')}; {same}")
    if summary["is_capped"]:
        lines.append("Note: the cap was reached; start again with a higher one to go on from here.")
    return "\n".join(lines)
