"""Our engine behind the seam, on tiny checkpoints of random weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed")

from narrate.core import Utterance, Voice
from narrate.errors import UsageError
from narrate.speech.backend import EngineSwitches, SpeechOptions, backend_names, open_backend
from narrate.speech.models import Checkpoint, open_checkpoint
from narrate.speech.voice import VoiceRequest, open_voice
from tests.conftest import SAMPLE_WORDS

TEXTS = ("It had been raining since the morning.", "Nobody.", "She read the letter again.")
FRAME_SAMPLES = 1920


@pytest.fixture(scope="module")
def base(tiny_checkpoint: Path) -> Checkpoint:
    return open_checkpoint(tiny_checkpoint)


def options(checkpoint: Checkpoint, **more) -> SpeechOptions:
    return SpeechOptions(checkpoint=checkpoint, batch_size=3, frames_per_character=0.2, **more)


def test_it_speaks_a_cloned_voice_from_text_to_samples(
    base: Checkpoint, spoken_sample: Path, tmp_path: Path
) -> None:
    voice = open_voice(VoiceRequest(str(spoken_sample), SAMPLE_WORDS), tmp_path, base).voice
    backend = open_backend("qwen", options(base))
    utterances = [Utterance(text, text, "en", 7 + n) for n, text in enumerate(TEXTS)]
    spoken = {one.utterance.spoken: one for one in backend.speak(iter(utterances), voice)}
    assert set(spoken) == set(TEXTS)
    for one in spoken.values():
        frames = one.checks["frames"]
        assert isinstance(frames, int)
        assert one.samples.dtype == np.int16
        assert len(one.samples) == frames * FRAME_SAMPLES
        assert one.rate_hz == backend.rate_hz == 24_000
    backend.close()
    backend.close()


def test_switches_change_how_it_computes_and_not_what_it_says(
    base: Checkpoint, spoken_sample: Path, tmp_path: Path
) -> None:
    voice = open_voice(VoiceRequest(str(spoken_sample), SAMPLE_WORDS), tmp_path, base).voice
    said = []
    for switches in (
        EngineSwitches(),
        EngineSwitches(kernels="sdpa", graphs=False, max_context=256),
    ):
        backend = open_backend("qwen", options(base, engine=switches, precision="float32"))
        utterances = [Utterance(text, text, "en", 7 + n, 6) for n, text in enumerate(TEXTS)]
        spoken = {one.utterance.spoken: one for one in backend.speak(iter(utterances), voice)}
        said.append({text: one.samples.astype(np.int32) for text, one in spoken.items()})
        assert backend.in_use["kernels"] == switches.kernels.replace("auto", "torch")  # type: ignore[attr-defined]
        assert backend.in_use["dtype"] == "float32"  # type: ignore[attr-defined]
        backend.close()
    for text in TEXTS:
        assert np.abs(said[0][text] - said[1][text]).max() <= 1


def test_a_take_s_key_knows_of_switches_that_round(base: Checkpoint) -> None:
    usual = open_backend("qwen", options(base)).sampling
    for more, changes in (
        ({"engine": EngineSwitches(graphs=False, max_context=2048)}, False),
        ({"engine": EngineSwitches(kernels="sdpa")}, True),
        ({"engine": EngineSwitches(weights="int8")}, True),
        ({"precision": "float32"}, True),
    ):
        assert (open_backend("qwen", options(base, **more)).sampling != usual) is changes


def test_kernels_and_precisions_that_nobody_knows_are_refused() -> None:
    with pytest.raises(UsageError, match="--kernels"):
        EngineSwitches(kernels="cuda")
    with pytest.raises(UsageError, match="--weights"):
        EngineSwitches(weights="int4")
    with pytest.raises(UsageError, match="--precision"):
        SpeechOptions(precision="int8")


def test_it_speaks_with_a_named_speaker(checkpoint: Callable[[str], Path]) -> None:
    backend = open_backend("qwen", options(open_checkpoint(checkpoint("customvoice"))))
    voice = Voice("ryan", "0" * 64, speaker_name="ryan")
    (one,) = backend.speak(iter([Utterance("key", TEXTS[1], "en", 5)]), voice)
    assert len(one.samples) > 0
    backend.close()


def test_it_is_in_the_table_and_knows_its_languages(base: Checkpoint) -> None:
    assert "qwen" in backend_names()
    backend = open_backend("qwen", options(base))
    assert {"de", "en", "zh"} <= set(backend.languages())
    assert backend.digest != open_backend("official", options(base)).digest
    assert backend.sampling["frames_per_character"] == 0.2


def test_what_it_cannot_do_is_refused_before_anything_is_loaded(base: Checkpoint) -> None:
    with pytest.raises(UsageError, match="needs a model"):
        open_backend("qwen", SpeechOptions())
    with pytest.raises(UsageError, match="speed"):
        open_backend("qwen", options(base, speed=1.5))
