"""A recording to what a model is told about its voice: codec codes and a speaker embedding.

Always in fp32 on the CPU with the two small encoders of the checkpoint, never the talker: a second
or two, once for a voice, and the same numbers wherever the book is spoken afterwards.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from narrate.core import Voice, VoicePrompt
from narrate.errors import BackendError
from narrate.speech.models import Checkpoint, check_tensors
from narrate.speech.published import load_published, load_weights
from narrate.speech.reference import RATE_HZ, reference_of

__all__ = ["encode_voice"]

_SPEAKER_PREFIX = "speaker_encoder."


def encode_voice(voice: Voice, checkpoint: Checkpoint) -> VoicePrompt:
    """Compute the prompt of a recording; without a transcript only the speaker embedding.

    The codes come from the recording with half a second of silence behind it, the embedding from
    the recording alone.
    """
    reference = reference_of(voice)
    load_published()
    with torch.inference_mode():
        speaker = _speaker(checkpoint.folder, reference.samples)
        codes = None
        if voice.reference_text is not None:
            codes = _codes(checkpoint.folder / "speech_tokenizer", reference.padded)
    return VoicePrompt(codes=codes, speaker=speaker, reference_text=voice.reference_text)


def _codes(folder: Path, samples: NDArray[np.float32]) -> NDArray[np.int64]:
    """Codes [frames, groups] of a recording at 24 kHz."""
    load = load_published().Qwen3TTSTokenizer.from_pretrained
    tokenizer = load_weights(load, folder, dtype=torch.float32)
    check_tensors(folder, (name for name, _ in tokenizer.model.named_parameters()))
    if int(tokenizer.get_input_sample_rate()) != RATE_HZ:
        raise BackendError(
            f"the model's codec hears at {tokenizer.get_input_sample_rate()} Hz, not {RATE_HZ}",
            where=str(folder),
        )
    codes = tokenizer.encode(samples, sr=RATE_HZ).audio_codes[0]
    return np.ascontiguousarray(codes.cpu().numpy().astype(np.int64))


def _speaker(folder: Path, samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """The speaker embedding [talker hidden] of a recording at 24 kHz."""
    from qwen_tts.core.models import Qwen3TTSConfig
    from qwen_tts.core.models.modeling_qwen3_tts import Qwen3TTSSpeakerEncoder, mel_spectrogram

    config = Qwen3TTSConfig.from_pretrained(str(folder)).speaker_encoder_config
    encoder = Qwen3TTSSpeakerEncoder(config).float().eval()
    check_tensors(folder, (_SPEAKER_PREFIX + name for name in encoder.state_dict()))
    encoder.load_state_dict(_speaker_weights(folder))
    mels = mel_spectrogram(
        torch.from_numpy(samples)[None],
        n_fft=1024,
        num_mels=128,
        sampling_rate=RATE_HZ,
        hop_size=256,
        win_size=1024,
        fmin=0,
        fmax=12000,
    )
    embedding = encoder(mels.transpose(1, 2))[0]
    return np.ascontiguousarray(embedding.float().cpu().numpy())


def _speaker_weights(folder: Path) -> dict[str, Any]:
    """The speaker encoder's tensors in fp32, from whichever shards hold them."""
    from safetensors import safe_open

    found: dict[str, Any] = {}
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, "pt") as file:
            for name in file.keys():  # noqa: SIM118
                if name.startswith(_SPEAKER_PREFIX):
                    found[name.removeprefix(_SPEAKER_PREFIX)] = file.get_tensor(name).float()
    return found
