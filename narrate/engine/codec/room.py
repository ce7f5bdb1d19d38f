"""A codec for the room that a device has: the longest passes that fit."""

from __future__ import annotations

from pathlib import Path

import torch

from narrate.engine.cache import no_room
from narrate.engine.codec.codec import Codec
from narrate.engine.codec.config import CodecConfig, read_codec_config

__all__ = ["codec_with_room", "frames_with_room"]

# A longer pass wastes less at its end, a shorter one is full sooner.
_MOST, _MOST_OF_FEW_ROWS, _LEAST, _ON_CPU = 4096, 1024, 128, 128
_SHARE = 6  # of the free memory one part is the codec's; the rows' keys and values want the rest
_ARRAYS = 7  # as long as the samples are at work at once, all channels of the last level each


def codec_with_room(
    folder: Path, device: torch.device, dtype: torch.dtype, graphs: bool, few_rows: bool
) -> Codec:
    """The codec of a `speech_tokenizer` folder; where memory runs out, with shorter passes.

    Raises `BackendError` where not even the shortest fits.
    """
    if device.type != "cuda":
        return Codec(folder, device, dtype, _ON_CPU, graphs=graphs)
    torch.cuda.empty_cache()
    free, _ = torch.cuda.mem_get_info(device)
    most = _MOST_OF_FEW_ROWS if few_rows else _MOST
    frames = frames_with_room(read_codec_config(folder), dtype, free // _SHARE, most)
    while True:
        try:
            return Codec(folder, device, dtype, frames, graphs=graphs)
        except torch.OutOfMemoryError as error:
            if frames == _LEAST:
                raise no_room("the speech decoder", error) from error
        frames //= 2
        torch.cuda.empty_cache()


def frames_with_room(config: CodecConfig, dtype: torch.dtype, room_bytes: int, most: int) -> int:
    """Frames of a pass: `most`, halved until its work space fits, but not below the least."""
    channels = config.wave_dim // 2 ** len(config.rates)
    a_frame = config.samples_per_frame * channels * dtype.itemsize * _ARRAYS
    frames = most
    while frames > _LEAST and frames * a_frame > room_bytes:
        frames //= 2
    return frames
