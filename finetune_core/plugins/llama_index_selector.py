"""A tuned router as a LlamaIndex selector, for use inside one process with Ayar."""

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

from finetune_core.evaluation.router_files import EMBEDDER_FOLDER, RouterFile
from finetune_core.evaluation.routing import DescriptionRouter, HeadRouter, Routes
from finetune_core.providers.embedder import LocalEmbedder
from finetune_core.records import Corpus

if TYPE_CHECKING:
    from llama_index.core.base.base_selector import BaseSelector


def llama_index_selector(folder: Path, otherwise: str = "") -> "BaseSelector":
    """A LlamaIndex `BaseSelector` over the router exported to `folder`.

    A tool stands for the choice whose id or name is the tool's name; a tool of another name raises ValueError. A query out
    of scope goes to the tool named `otherwise`, or to none if that is "". Raises ArtefactError if there is no router.
    """
    file = RouterFile.read(folder)
    embedder = LocalEmbedder(folder / EMBEDDER_FOLDER, file.query_prefix, file.passage_prefix, file.max_tokens)
    selector: BaseSelector = _selector_class()(file.router("tuned", embedder), file.choices, otherwise)
    return selector


@functools.cache
def _selector_class() -> Any:
    """Defined on first use: importing LlamaIndex takes seconds, and only this needs it."""
    from llama_index.core.base.base_selector import BaseSelector, SelectorResult, SingleSelection
    from llama_index.core.schema import QueryBundle
    from llama_index.core.tools.types import ToolMetadata

    class AyarSelector(BaseSelector):
        def __init__(self, router: DescriptionRouter | HeadRouter, known: Corpus, otherwise: str) -> None:
            self._router, self._known, self._otherwise = router, known, otherwise
            self._id_of = {name: choice.id for choice in known for name in (choice.title, choice.id) if name}

        def _select(self, choices: Any, query: QueryBundle) -> SelectorResult:
            place = self._places(choices)
            offered = Corpus(tuple(choice for choice in self._known if choice.id in place))
            routes = Routes(self._router.scores([query.query_str], offered), self._router.threshold, 0.0)
            decision = int(routes.decisions[0])
            if decision < 0:
                found = (
                    [SingleSelection(index=place[self._otherwise], reason="out of scope")] if self._otherwise else []
                )
                return SelectorResult(selections=found)
            reason = f"score {routes.scores[0, decision]:.3f}"
            return SelectorResult(
                selections=[SingleSelection(index=place[offered.passages[decision].id], reason=reason)]
            )

        async def _aselect(self, choices: Any, query: QueryBundle) -> SelectorResult:
            return self._select(choices, query)

        def _places(self, tools: list[ToolMetadata]) -> dict[str, int]:
            """The position of each tool by the id of its choice; that of `otherwise` by its name."""
            place = {self._id_of.get(tool.name or "", tool.name or ""): index for index, tool in enumerate(tools)}
            if unknown := set(place) - set(self._known.positions) - {self._otherwise}:
                raise ValueError(
                    f"no choices of this router: {sorted(unknown)}; it has {sorted(self._known.positions)}"
                )
            if self._otherwise and self._otherwise not in place:
                raise ValueError(f"no tool is called {self._otherwise!r}, which is for queries out of scope")
            return place

        def _get_prompts(self) -> dict[str, Any]:
            return {}

        def _update_prompts(self, prompts: dict[str, Any]) -> None:
            """There are none."""

    return AyarSelector
