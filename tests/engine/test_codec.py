"""Our decoder is the published decoder: same samples, whatever the neighbours and the past."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("safetensors", reason="safetensors is not installed")
if find_spec("qwen_tts") is None:  # it is loaded through its one door below
    pytest.skip("qwen-tts is not installed", allow_module_level=True)

import numpy as np
import torch

from narrate.bench.weights import make_checkpoint
from narrate.engine.codec import Codec, read_codec_config
from narrate.engine.codec.codec import Samples, grades_of
from narrate.engine.codec.room import frames_with_room
from narrate.engine.codec.wave import PLAIN, Waves, sound
from narrate.engine.codec.weights import load_codec
from narrate.errors import BackendError
from narrate.speech.published import load_published

CPU = torch.device("cpu")
FRAMES = 80  # a pass, shorter than the longest utterance here
CLOSE = 1e-4
LENGTHS = (20, 1, 9, 170)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_checkpoint(tmp_path_factory.mktemp("checkpoint")) / "speech_tokenizer"


@pytest.fixture(scope="module")
def codec(folder: Path) -> Codec:
    return Codec(folder, CPU, torch.float32, FRAMES)


@pytest.fixture(scope="module")
def published(folder: Path) -> Any:
    load_published()
    from qwen_tts.core import Qwen3TTSTokenizerV2Model

    return Qwen3TTSTokenizerV2Model.from_pretrained(folder, dtype=torch.float32).eval().decoder


def codes_of(frames: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(frames)
    return torch.randint(0, 2048, (frames, 16), generator=generator, dtype=torch.int32)


def whole(published: Any, codes: torch.Tensor) -> np.ndarray[Any, Any]:
    """All frames in one forward pass: no pieces, so no approximation at their seams."""
    with torch.inference_mode():
        return np.asarray(published(codes.T[None].long())[0, 0].numpy())


def far(samples: Samples, wanted: np.ndarray[Any, Any]) -> float:
    assert samples.dtype == np.int16
    assert len(samples) == len(wanted)
    return float(np.abs(samples / 32767 - wanted).max(initial=0.0))


@pytest.fixture(scope="module")
def decoded(codec: Codec) -> list[Samples]:
    return codec.decode([codes_of(length) for length in LENGTHS])


def test_samples_are_those_of_the_published_decoder(decoded: list[Samples], published: Any) -> None:
    for samples, length in zip(decoded, LENGTHS, strict=True):
        assert far(samples, whole(published, codes_of(length))) < CLOSE


def test_sixteen_bits_are_far_above_their_noise(folder: Path, decoded: list[Samples]) -> None:
    exact = np.concatenate(decoded).astype(float)
    sixteen = Codec(folder, CPU, torch.bfloat16, FRAMES)
    found = np.concatenate(sixteen.decode([codes_of(length) for length in LENGTHS]))
    assert 0 < np.linalg.norm(found - exact) < 0.02 * np.linalg.norm(exact)


def test_units_that_bend_what_they_read_make_the_same_samples(folder: Path) -> None:
    config = read_codec_config(folder)
    weights = load_codec(folder, config, CPU, grades_of(torch.float32, len(config.rates)))
    generator = torch.Generator().manual_seed(7)
    latents = torch.randn(24, config.latent, generator=generator)
    live = torch.ones(24, dtype=torch.int32)
    live[[0, 1, 9, 10]] = 0

    def made(waves: Waves) -> tuple[torch.Tensor, list[tuple[int, torch.Size]]]:
        read: list[tuple[int, torch.Size]] = []
        samples = sound(weights, waves, latents, live, lambda n, x, _: read.append((n, x.shape)))
        return samples.int(), read

    apart, read_apart = made(PLAIN)
    united, read_united = made(replace(PLAIN, unites=lambda _: True))
    assert read_apart == read_united  # each is a place where a past may stand
    assert apart.unique().numel() > 1000
    assert (apart - united).abs().max() <= 1


def test_a_small_layer_scale_costs_no_digits(folder: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    scaled = tmp_path / "scaled"
    shutil.copytree(folder, scaled)
    tensors = load_file(scaled / "model.safetensors")
    for name in tensors:
        if name.endswith(("gamma", "layer_scale.scale")):
            tensors[name] *= 1e-7
    save_file(tensors, scaled / "model.safetensors")
    config = read_codec_config(scaled)
    whole, parted = (
        load_codec(scaled, config, CPU, grades_of(dtype, len(config.rates)))
        for dtype in (torch.float32, torch.float16)
    )
    for exact, found in (
        (whole.ups[0].narrow, parted.ups[0].narrow),
        (whole.layers[0].out, parted.layers[0].out),
    ):
        assert found.scale is not None
        upper, _, lower = found.weight[0].double().chunk(3, -1)
        error = (upper + lower) * found.scale[:, None] - exact.weight[0]
        assert (error.abs().amax(1) < 2**-20 * exact.weight[0].abs().amax(1)).all()


def test_the_frames_before_are_heard_and_not_decoded(codec: Codec, published: Any) -> None:
    past, codes = codes_of(40), codes_of(20)
    both = torch.cat((past, codes))
    wanted = whole(published, both)[40 * codec.samples_per_frame :]
    (samples,) = codec.decode([codes], past)
    assert far(samples, wanted) < CLOSE
    (alone,) = codec.decode([codes])
    assert far(alone, wanted) > 10 * CLOSE, "the past should matter, or this proves nothing"


def test_what_is_further_back_than_the_context_cannot_be_heard(codec: Codec) -> None:
    codes = codes_of(codec.context + 5)
    past, codes = codes[:-5], codes[-5:]
    (long,) = codec.decode([codes], torch.cat((codes_of(20), past)))
    (short,) = codec.decode([codes], past)
    assert np.abs(long.astype(int) - short).max() <= 1


def test_neighbours_and_order_change_nothing(codec: Codec, decoded: list[Samples]) -> None:
    order = (2, 0, 1)  # of those that share a pass
    for place, samples in zip(
        order, codec.decode([codes_of(LENGTHS[n]) for n in order]), strict=True
    ):
        assert np.abs(samples.astype(int) - decoded[place]).max(initial=0) <= 1


def test_utterances_arrive_whole_and_by_their_keys(codec: Codec) -> None:
    codec.begin(codes_of(7))
    codec.put("long", codes_of(150))
    codec.put("nothing", codes_of(0))
    codec.put("short", codes_of(3))
    codec.flush()
    arrived = dict(codec.take(wait=True))
    rate = codec.samples_per_frame
    lengths = {key: len(samples) for key, samples in arrived.items()}
    assert lengths == {"long": 150 * rate, "nothing": 0, "short": 3 * rate}
    assert not list(codec.take(wait=True))


def test_samples_are_byte_equal_alone_and_in_the_passes_of_many(codec: Codec) -> None:
    lengths = [*range(3, 40, 4), 75, *range(41, 5, -5), 2, 170, 1, 66]
    past = codes_of(7)
    together = codec.decode([codes_of(length) for length in lengths], past)
    for length, samples in zip(lengths, together, strict=True):
        (alone,) = codec.decode([codes_of(length)], past)
        assert len(samples) == length * codec.samples_per_frame
        assert samples.tobytes() == alone.tobytes(), f"{length} frames"


def test_what_cannot_be_launched_is_launched_later(codec: Codec) -> None:
    lengths, past = [40, 170, 60, 90], codes_of(7)
    alone = [codec.decode([codes_of(length)], past)[0] for length in lengths]
    codec.begin(past)
    decode = codec._decode

    def no_room() -> None:
        raise torch.OutOfMemoryError("no room")

    codec._decode = no_room  # type: ignore[assignment]
    refused = 0
    for number, length in enumerate(lengths):
        try:
            codec.put(number, codes_of(length))
        except torch.OutOfMemoryError:
            refused += 1
    with pytest.raises(torch.OutOfMemoryError):
        codec.flush()
    assert refused, "passes should have been full, or this proves little"
    assert not list(codec.take(wait=True))
    codec._decode = decode
    codec.flush()
    arrived = dict(codec.take(wait=True))
    assert [arrived[n].tobytes() for n in range(len(lengths))] == [one.tobytes() for one in alone]


def test_pieces_that_land_in_another_order_are_put_together_in_theirs(codec: Codec) -> None:
    (alone,) = codec.decode([codes_of(170)])
    codec.begin(codes_of(0))
    codec.put("long", codes_of(170))
    codec.put("short", codes_of(9))
    codec.flush()
    assert len(codec._flights) > 1
    codec._flights.reverse()
    arrived = dict(codec.take(wait=True))
    assert arrived["long"].tobytes() == alone.tobytes()
    assert len(arrived["short"]) == 9 * codec.samples_per_frame


def test_what_is_decoded_is_not_kept(codec: Codec) -> None:
    for voice in range(3):
        codec.begin(codes_of(voice))
        for length in (20, 60, 5, 90):
            codec.put(length, codes_of(length))
        codec.begin(codes_of(3))
        assert len(list(codec.take(wait=True))) == 4
    assert not codec._items


def test_sizes_come_from_the_configuration(folder: Path) -> None:
    config = read_codec_config(folder)
    assert (config.hidden, config.samples_per_frame, config.sample_rate) == (16, 1920, 24000)
    assert (config.wave_reach, config.gap) == (10, 3)
    assert config.transformer_reach == 2 * 71 + 2


def test_passes_are_as_long_as_there_is_room(folder: Path) -> None:
    config, half = read_codec_config(folder), torch.bfloat16
    lengths = [frames_with_room(config, half, room, 4096) for room in (0, 10**8, 10**12)]
    assert lengths[0] == 128 < lengths[1] < 4096 == lengths[2]
    assert frames_with_room(config, half, 10**12, 1024) == 1024
    assert frames_with_room(config, torch.float32, 10**8, 4096) == lengths[1] // 2


def test_a_missing_tensor_is_named(folder: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    broken = tmp_path / "broken"
    shutil.copytree(folder, broken)
    tensors = load_file(broken / "model.safetensors")
    del tensors["decoder.pre_transformer.norm.weight"]
    save_file(tensors, broken / "model.safetensors")
    with pytest.raises(BackendError, match=r"decoder\.pre_transformer\.norm\.weight is missing"):
        Codec(broken, CPU)


def test_a_tensor_of_another_size_is_named(folder: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(folder, broken)
    config = json.loads((broken / "config.json").read_text())
    config["decoder_config"]["latent_dim"] = 48
    (broken / "config.json").write_text(json.dumps(config))
    with pytest.raises(BackendError, match="instead of"):
        Codec(broken, CPU)


def test_a_decoder_that_is_not_computed_is_refused(folder: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(folder, broken)
    config = json.loads((broken / "config.json").read_text())
    config["decoder_config"]["attention_bias"] = True
    (broken / "config.json").write_text(json.dumps(config))
    with pytest.raises(BackendError, match="attention_bias"):
        Codec(broken, CPU)


def test_parts_hold_twice_the_digits() -> None:
    from narrate.engine.codec.layers import Grade, parted

    grade, x = (
        Grade(torch.float16, 3),
        torch.rand(50, 8, generator=torch.Generator().manual_seed(3)),
    )
    upper, lower = parted(x, grade).float().chunk(2, -1)
    assert (upper + lower - x).abs().max() < 2**-20 < (upper - x).abs().max()
    exact = x.double() @ x.double().T
    held = parted(x, grade)
    found = torch.cat((held, held[:, :8]), 1).double() @ parted(x, grade, weights=True).double().T
    assert (found - exact).abs().max() < 2**-17 * exact.abs().max()
    assert parted(torch.tensor([1e6]), Grade(torch.float16)).isfinite().all()
