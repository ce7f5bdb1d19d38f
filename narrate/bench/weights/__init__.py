"""Checkpoints of random weights in the published layout, at any size, for tests and benchmarks.

    python -m narrate.bench.weights OUT --size tiny|0.6b|1.7b --kind base|customvoice|voicedesign

`Qwen3TTSModel.from_pretrained(OUT)` loads the folder as it loads a downloaded one. What such a
model says is noise, but it is varied noise that ends at some point, and its speed is that of the
real one. Weights are written tensor by tensor, so a large checkpoint needs little memory.
"""

from narrate.bench.weights.make import MADE, make_checkpoint

__all__ = ["MADE", "make_checkpoint"]
