"""What is said is what the published package says: logits, then greedy codes of all groups."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")

from narrate.core import VoicePrompt  # noqa: E402
from narrate.engine.kernels import Kernels, Rows, Rules  # noqa: E402
from tests.engine.conftest import CPU, Tiny, cloned, jobs_of, speak_all  # noqa: E402

SENTENCE = "It is a truth universally acknowledged that a single man must be in want of"
WORDS = SENTENCE.split()
TEXTS = [" ".join(WORDS[n % 7 : n % 7 + 1 + (5 * n) % 11]) + ".!?"[n % 3] for n in range(20)]
FRAMES = 64


def published_codes(model: Any, voice: VoicePrompt, texts: list[str], frames: int) -> list[Any]:
    """Greedy codes, [frames, groups] each, of a model that never ends; all texts in one batch."""
    head = model.model.talker.codec_head.weight.data
    eos = model.model.config.talker_config.codec_eos_token_id
    kept = head[eos].clone()
    head[eos] = 0
    count = len(texts)
    assert voice.codes is not None
    assert voice.speaker is not None
    assert voice.reference_text is not None
    reference = model._tokenize_texts([model._build_ref_text(voice.reference_text)])
    codes, _ = model.model.generate(
        input_ids=model._tokenize_texts([model._build_assistant_text(text) for text in texts]),
        ref_ids=reference * count,
        voice_clone_prompt={
            "ref_code": [torch.from_numpy(voice.codes)] * count,
            "ref_spk_embedding": [torch.from_numpy(voice.speaker)] * count,
            "x_vector_only_mode": [False] * count,
            "icl_mode": [True] * count,
        },
        languages=["english"] * count,
        non_streaming_mode=False,
        max_new_tokens=frames + 1,
        do_sample=False,
        subtalker_dosample=False,
    )
    head[eos] = kept
    return list(codes)


@pytest.mark.parametrize(
    ("count", "frames", "slots"), [(6, 20, 3), pytest.param(20, 64, 7, marks=pytest.mark.slow)]
)
def test_greedy_codes_are_equal_in_a_mixed_batch_with_refill(
    tiny: Tiny, published: Any, voice: VoicePrompt, count: int, frames: int, slots: int
) -> None:
    """More texts than slots: rows end at different frames, and newcomers take their slots."""
    ours, texts = tiny.never_ending(), TEXTS[:count]
    caps = [frames + n % 5 for n in range(count)]
    said = speak_all(ours.runner(slots, group=2), jobs_of(ours.writer(voice), texts, caps))
    wanted = published_codes(published("base"), voice, texts, frames)
    for number, cap in enumerate(caps):
        ended, codes = said[number]
        assert ended.frames == cap
        assert torch.equal(codes[:frames].long(), wanted[number][:frames]), texts[number]


def test_greedy_codes_are_equal_one_by_one(tiny: Tiny, published: Any, voice: VoicePrompt) -> None:
    ours = tiny.never_ending()
    runner, writer = ours.runner(1, group=1), ours.writer(voice)
    ((_, codes),) = speak_all(runner, jobs_of(writer, TEXTS[3:4], [FRAMES])).values()
    (wanted,) = published_codes(published("base"), voice, TEXTS[3:4], FRAMES)
    assert torch.equal(codes.long(), wanted[:FRAMES])


def test_a_row_ends_where_the_published_one_ends(tiny: Tiny, published: Any) -> None:
    """With the end in play: the same number of frames, greedily."""
    voice = cloned(tiny.config, seed=3)
    model = published("base")
    said = speak_all(tiny.runner(3), jobs_of(tiny.writer(voice), TEXTS[:3], [40] * 3))
    for number, text in enumerate(TEXTS[:3]):
        codes, _ = model.model.generate(
            input_ids=model._tokenize_texts([model._build_assistant_text(text)]),
            ref_ids=model._tokenize_texts([model._build_ref_text(voice.reference_text)]),
            voice_clone_prompt={
                "ref_code": [torch.from_numpy(voice.codes)],
                "ref_spk_embedding": [torch.from_numpy(voice.speaker)],
                "x_vector_only_mode": [False],
                "icl_mode": [True],
            },
            languages=["english"],
            max_new_tokens=40,
            do_sample=False,
            subtalker_dosample=False,
        )
        got = said[number][1].long()
        assert torch.equal(got[: len(codes[0])], codes[0])


def test_logits_are_within_a_ten_thousandth(tiny: Tiny, published: Any, voice: VoicePrompt) -> None:
    """Teacher-forced: code 0 after a prompt, and all fifteen groups after a talker state."""
    talker = published("base").model.talker
    prompt = tiny.writer(voice).write(TEXTS[4], "english")
    random = torch.Generator().manual_seed(1)
    forced = torch.randint(0, 2048, (1, tiny.config.groups), generator=random)
    seen: list[Any] = []

    def force(logits: Any, group: int, rules: Rules, rows: Rows, feed: Any = None) -> None:
        seen.append(logits.clone())
        code = forced[0, group]
        if feed.x is not None:
            feed.x.copy_(feed.step[code][None])

    runner = tiny.runner(1, group=1)
    kernels = replace(Kernels.choose(CPU, "torch"), sample=force)
    runner.computer = replace(runner.computer, kernels=kernels)
    (job,) = jobs_of(tiny.writer(voice), [TEXTS[4]], [8])
    with torch.inference_mode():
        runner.arrive([(0, job)])
        runner.computer.frame(runner.state)
        from narrate.engine.model.talker import embed

        x = embed(tiny.model, torch.from_numpy(prompt.rows))[None]
        state = talker.model(inputs_embeds=x).last_hidden_state[:, -1]
        wanted = [talker.codec_head(state)]
        wanted += list(talker.forward_sub_talker_finetune(forced, state)[0].transpose(0, 1))
    assert len(seen) == tiny.config.groups
    for got, want in zip(seen, wanted, strict=True):
        torch.testing.assert_close(got, want, atol=1e-4, rtol=0)
