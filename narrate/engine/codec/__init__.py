"""The checkpoint's speech decoder, batched: exact where it is cheap, fast where it costs."""

from narrate.engine.codec.codec import Codec, Samples
from narrate.engine.codec.config import CodecConfig, read_codec_config

__all__ = ["Codec", "CodecConfig", "Samples", "read_codec_config"]
