"""Small modules that move vectors (N, D) to vectors (N, D): each starts at, or very near, the identity.

No parameter has a zero gradient at the first step, which a product of two zero matrices would. What they compute is
written down a second time, for numpy, in `providers.portable_adapter`; a test holds the two together.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize, silu

_GATE = 0.05  # of the two-layer adapter at its start: the output keeps a cosine of 0.999 with its input
_UP_NORM = 0.03  # how far the low-rank adapter moves a unit vector at its start


class LinearAdapter(nn.Module):
    """x + x Δᵀ + b, exactly the identity at its start. Weight decay pulls it back there."""

    def __init__(self, num_dimensions: int) -> None:
        super().__init__()
        self.delta = nn.Parameter(torch.zeros(num_dimensions, num_dimensions))
        self.bias = nn.Parameter(torch.zeros(num_dimensions))

    def forward(self, vectors_ND: Tensor) -> Tensor:
        """Moved vectors (N, D), not yet of unit length."""
        return vectors_ND + vectors_ND @ self.delta.T + self.bias


class LowRankAdapter(nn.Module):
    """x + x Aᵀ Bᵀ with A (R, D) and B (D, R) (Hu et al., LoRA, 2021, but B is small instead of zero)."""

    def __init__(self, num_dimensions: int, rank: int) -> None:
        super().__init__()
        self.down = nn.Parameter(torch.randn(rank, num_dimensions) / math.sqrt(rank))
        self.up = nn.Parameter(torch.randn(num_dimensions, rank) * _UP_NORM / math.sqrt(num_dimensions))

    def forward(self, vectors_ND: Tensor) -> Tensor:
        """Moved vectors (N, D), not yet of unit length."""
        return vectors_ND + vectors_ND @ self.down.T @ self.up.T


class TwoLayerAdapter(nn.Module):
    """x + g (silu(x W₁ᵀ + b₁) W₂ᵀ + b₂), with a gate g that starts small."""

    def __init__(self, num_dimensions: int, hidden_size: int) -> None:
        super().__init__()
        self.first = nn.Parameter(torch.randn(hidden_size, num_dimensions))
        self.first_bias = nn.Parameter(torch.zeros(hidden_size))
        self.second = nn.Parameter(torch.randn(num_dimensions, hidden_size) / math.sqrt(hidden_size * num_dimensions))
        self.second_bias = nn.Parameter(torch.zeros(num_dimensions))
        self.gate = nn.Parameter(torch.full((1,), _GATE))

    def forward(self, vectors_ND: Tensor) -> Tensor:
        """Moved vectors (N, D), not yet of unit length."""
        hidden_NH = silu(vectors_ND @ self.first.T + self.first_bias)
        return vectors_ND + self.gate * (hidden_NH @ self.second.T + self.second_bias)


def moved(sides: nn.ModuleDict, side: str, vectors_ND: Tensor) -> Tensor:
    """Vectors of unit length (N, D) after the adapter of that side, or as they are where there is none."""
    return normalize(sides[side](vectors_ND), dim=-1) if side in sides else vectors_ND


def ranking_loss(queries_BD: Tensor, passages_PD: Tensor, is_right_BP: Tensor, scale: float) -> Tensor:
    """Cross-entropy of each right passage among it and all wrong ones; the other right ones of its question are masked.

    The mean over the right passages of a question, then over questions. Every question needs a right and a wrong one.
    (Henderson et al., Efficient Natural Language Response Suggestion for Smart Reply, 2017, with several positives.)
    """
    scores_BP = scale * queries_BD @ passages_PD.T
    wrong_B1 = scores_BP.masked_fill(is_right_BP, -torch.inf).logsumexp(dim=1, keepdim=True)
    loss_BP = (torch.logaddexp(scores_BP, wrong_B1) - scores_BP).masked_fill(~is_right_BP, 0.0)
    return (loss_BP.sum(dim=1) / is_right_BP.sum(dim=1)).mean()
