"""A step's attention by torch's scaled_dot_product_attention: to compare with, not to be fast.

It needs the rows' keys copied together and a mask over their lengths, which rules out torch's
flash kernel; meaning and shapes are those of `attend` in `plain.py`.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

from narrate.engine.kernels.plain import step_in
from narrate.engine.kernels.shapes import Cache, HeadNorms, Rotary

__all__ = ["attend"]


def attend(
    qkv: torch.Tensor,
    heads: HeadNorms,
    rotary: Rotary,
    cache: Cache,
    slots: torch.Tensor,
    lengths: torch.Tensor,
) -> torch.Tensor:
    """One decoding step of attention for n rows; see `plain.attend`."""
    q, keys, values, beyond = step_in(qkv, heads, rotary, cache, slots, lengths)
    out = F.scaled_dot_product_attention(
        q[:, :, None], keys, values, attn_mask=~beyond[:, None, None], enable_gqa=True
    )
    return torch.where((lengths >= 0)[:, None], out.flatten(1), 0.0).to(qkv.dtype)
