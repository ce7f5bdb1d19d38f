"""The wave decoder's table in Triton."""

from __future__ import annotations

from narrate.engine.codec import fast_places, fast_unit, fast_wave, fast_window
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
    unit=fast_unit.unit,
    paste=fast_places.paste,
)
