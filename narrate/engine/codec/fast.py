"""The wave decoder's table on a card: in Triton, its units on Hopper in CUDA."""

from __future__ import annotations

from narrate.engine.codec import fast_places, fast_wave, fast_window, hopper_unit
from narrate.engine.codec.wave import Waves

__all__ = ["FAST"]

FAST = Waves(
    name="triton",
    grain=fast_window.TILE,
    conv=fast_wave.conv,
    part=fast_places.part,
    depthwise=fast_places.depthwise,
    last=fast_wave.last,
    attend=fast_window.attend,
    unit=hopper_unit.unit,
    unites=hopper_unit.unites,
    paste=fast_places.paste,
)
