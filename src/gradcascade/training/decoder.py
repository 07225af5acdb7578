"""Decoder of Pico's shape and parameter names (LLaMA style), with PyTorch's own initialisation."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gradcascade.errors import InputError

VOCABULARY = 256
BLOCKS = 12
HEADS = 12
KV_HEADS = 4
NORM_EPS = 1e-6
ROPE_THETA = 10_000.0
WIDTH_UNIT = 2 * HEADS
"""A width must be a multiple of this: rotary positions turn pairs of a head's channels."""


@dataclass(frozen=True)
class DecoderShape:
    """Sizes of one decoder; all but the width are Pico's."""

    width: int
    """d_model, a positive multiple of 24."""
    context: int
    """Longest sequence, in tokens."""

    def __post_init__(self) -> None:
        if self.width < WIDTH_UNIT or self.width % WIDTH_UNIT:
            raise InputError(
                f"model width {self.width} does not give {HEADS} heads of an even size; "
                f"choose a multiple of {WIDTH_UNIT}, such as 24, 48, 96 or 192"
            )
        if self.context < 2:
            raise InputError(f"context of {self.context} is too short to learn from; choose at least 2 tokens")

    @property
    def hidden(self) -> int:
        """Hidden width of SwiGLU, 4 d."""
        return 4 * self.width

    @property
    def recorded_entries(self) -> int:
        """Entries of the recorded field: v_proj (d/3 x d), o_proj (d x d) and w_2 (d x 4d) of 12 blocks, 64 d^2."""
        return BLOCKS * (self.width * self.width * KV_HEADS // HEADS + self.width**2 + self.width * self.hidden)

    @property
    def parameters(self) -> int:
        """Number of trainable parameters."""
        attention = 2 * self.width**2 + 2 * self.width**2 * KV_HEADS // HEADS
        block = attention + 3 * self.width * self.hidden + 2 * self.width
        return BLOCKS * block + 2 * VOCABULARY * self.width + self.width


def rotary_angles(context: int, head_size: int) -> tuple[Tensor, Tensor]:
    """Cosines and sines of the rotary positions (arXiv:2104.09864), each (context, head_size / 2)."""
    frequencies = ROPE_THETA ** (-torch.arange(0, head_size, 2, dtype=torch.float32) / head_size)
    angles = torch.outer(torch.arange(context, dtype=torch.float32), frequencies)
    return angles.cos(), angles.sin()


def rotate(x: Tensor, cosines: Tensor, sines: Tensor) -> Tensor:
    """Rotate neighbouring pairs of channels of `x` (batch, heads, time, head_size) by their position's angle."""
    even, odd = x[..., 0::2], x[..., 1::2]
    return torch.stack((even * cosines - odd * sines, even * sines + odd * cosines), dim=-1).flatten(-2)


class Attention(nn.Module):
    """Causal grouped-query attention: 12 query heads share 4 heads of keys and values."""

    def __init__(self, shape: DecoderShape) -> None:
        super().__init__()
        self.head_size = shape.width // HEADS
        self.q_proj = nn.Linear(shape.width, HEADS * self.head_size, bias=False)
        self.k_proj = nn.Linear(shape.width, KV_HEADS * self.head_size, bias=False)
        self.v_proj = nn.Linear(shape.width, KV_HEADS * self.head_size, bias=False)
        self.o_proj = nn.Linear(HEADS * self.head_size, shape.width, bias=False)

    def forward(self, x: Tensor, cosines: Tensor, sines: Tensor) -> Tensor:
        """Attend to the past; ``x`` and the result have shape (batch, time, d)."""
        batch, time, width = x.shape
        queries = rotate(self._heads(self.q_proj(x)), cosines, sines)
        keys = rotate(self._heads(self.k_proj(x)), cosines, sines)
        values = self._heads(self.v_proj(x))
        mixed = F.scaled_dot_product_attention(queries, keys, values, is_causal=True, enable_gqa=True)
        return self.o_proj(mixed.transpose(1, 2).reshape(batch, time, width))

    def _heads(self, x: Tensor) -> Tensor:
        batch, time, _ = x.shape
        return x.view(batch, time, -1, self.head_size).transpose(1, 2)


class SwiGLU(nn.Module):
    """Gated feed-forward layer ``w_2(silu(w_0 x) * w_1 x)`` (arXiv:2002.05202)."""

    def __init__(self, shape: DecoderShape) -> None:
        super().__init__()
        self.w_0 = nn.Linear(shape.width, shape.hidden, bias=False)
        self.w_1 = nn.Linear(shape.width, shape.hidden, bias=False)
        self.w_2 = nn.Linear(shape.hidden, shape.width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, time, d) to (batch, time, d)."""
        return self.w_2(F.silu(self.w_0(x)) * self.w_1(x))


class Block(nn.Module):
    """One pre-norm block with two residual branches."""

    def __init__(self, shape: DecoderShape) -> None:
        super().__init__()
        self.attention = Attention(shape)
        self.swiglu = SwiGLU(shape)
        self.attention_norm = nn.RMSNorm(shape.width, eps=NORM_EPS)
        self.swiglu_norm = nn.RMSNorm(shape.width, eps=NORM_EPS)

    def forward(self, x: Tensor, cosines: Tensor, sines: Tensor) -> Tensor:
        """Map (batch, time, d) to (batch, time, d)."""
        x = x + self.attention(self.attention_norm(x), cosines, sines)
        return x + self.swiglu(self.swiglu_norm(x))


class Decoder(nn.Module):
    """Language model on bytes."""

    cosines: Tensor
    sines: Tensor

    def __init__(self, shape: DecoderShape) -> None:
        super().__init__()
        self.shape = shape
        self.embedding_proj = nn.Embedding(VOCABULARY, shape.width)
        self.layers = nn.ModuleList([Block(shape) for _ in range(BLOCKS)])
        self.output_norm = nn.RMSNorm(shape.width, eps=NORM_EPS)
        self.de_embedding_proj = nn.Linear(shape.width, VOCABULARY, bias=False)
        cosines, sines = rotary_angles(shape.context, shape.width // HEADS)
        self.register_buffer("cosines", cosines, persistent=False)
        self.register_buffer("sines", sines, persistent=False)

    def forward(self, tokens: Tensor) -> Tensor:
        """Logits (batch, time, 256) of the next byte for int64 ``tokens`` (batch, time), time <= context."""
        time = tokens.shape[1]
        cosines, sines = self.cosines[:time], self.sines[:time]
        x = self.embedding_proj(tokens)
        for layer in self.layers:
            x = layer(x, cosines, sines)
        return self.de_embedding_proj(self.output_norm(x))

    def loss(self, windows: Tensor) -> Tensor:
        """Mean cross-entropy in nats per byte of int64 ``windows`` (batch, time + 1): each byte from those before."""
        logits = self(windows[:, :-1])
        return F.cross_entropy(logits.flatten(0, 1), windows[:, 1:].flatten())
