"""A question and passages to scores of relevance: the protocol of every reranker, local or served."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from finetune_core.providers.embedder import Checkpoint


class Reranker(Protocol):
    """Scores how well each passage answers a question, reading both together."""

    @property
    def fingerprint(self) -> str:
        """Changes whenever the scores would; usable as a file name."""

    def score(self, query: str, passages: Sequence[str], checkpoint: Checkpoint | None = None) -> NDArray[np.float32]:
        """Scores (P,) in the order of `passages`, higher for more relevant; (0,) for none."""
