"""How far a step in bf16 is from one in fp32, and whether the fast kernels are any further.

Teacher-forced logits of the talker and of all fifteen predictor steps at the published size with
random weights: the engine's kernels by name in bf16, and plain torch in bf16, against plain torch
in fp32 on the same weights and the same codes.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace

import torch

from benchmarks.random_model import random_model
from narrate.engine.config import ModelConfig
from narrate.engine.kernels import Feed, HeadNorms, Kernels, Norm, Rotary, Rows, Rules
from narrate.engine.model.frame import Computer
from narrate.engine.model.layers import Layer, Model, Stack
from narrate.engine.sampler import SamplingOptions, rules_of
from narrate.engine.scheduler import Status
from narrate.engine.state import Intake, State

POSITIONS, FRAMES, LENGTH = 128, 8, 48


def widened(model: Model) -> Model:
    """The same weights in fp32."""

    def norm(one: Norm) -> Norm:
        return Norm(one.weight.float(), one.eps)

    def layer(one: Layer) -> Layer:
        return Layer(
            norm(one.norm), one.qkv.float(), HeadNorms(norm(one.heads.q), norm(one.heads.k)),
            one.out.float(), norm(one.mlp_norm), one.gate_up.float(), one.down.float(),
        )  # fmt: skip

    def stack(one: Stack) -> Stack:
        rotary = Rotary(one.rotary.cos, one.rotary.sin)
        return Stack(one.config, tuple(map(layer, one.layers)), norm(one.norm), rotary)

    old = model.predictor
    project = (old.project[0].float(), old.project[1].float()) if old.project else None
    predictor = replace(
        old, stack=stack(old.stack), project=project, inputs=old.inputs.float(),
        heads=tuple(head.float() for head in old.heads),
    )  # fmt: skip
    return replace(
        model, text=model.text.float(), codes=model.codes.float(), talker=stack(model.talker),
        head=model.head.float(), predictor=predictor,
    )  # fmt: skip


def forced(config: ModelConfig, rows: int) -> torch.Tensor:
    """Codes [frames, rows, groups] that every run is made to say."""
    generator = torch.Generator().manual_seed(3)
    codes = torch.randint(
        0, config.predictor.vocab, (FRAMES, rows, config.groups), generator=generator
    )
    return codes.cuda()


def logits(model: Model, name: str, rows: int) -> list[torch.Tensor]:
    """The logits of every step, [rows, vocab] fp32, in order."""
    kernels = Kernels.choose(torch.device("cuda"), name)
    script, seen = forced(model.config, rows), []
    steps = iter(range(FRAMES * model.config.groups))

    def force(found: torch.Tensor, group: int, rules: Rules, held: Rows, feed: Feed) -> None:
        frame, expected = divmod(next(steps), model.config.groups)
        assert expected == group
        seen.append(found.float())
        code = script[frame, :, group]
        if feed.step is not None and feed.x is not None:
            feed.x.copy_(feed.step[code])
        if group == 0:
            feed.total.zero_()
        feed.total.add_(feed.embedding[code])
        held.codes[:, group] = code

    first, others = rules_of(model.config, SamplingOptions())
    computer = Computer(model, replace(kernels, sample=force), first, others)
    dtype = model.codes.dtype
    state = State(model.config, rows, POSITIONS, model.codes.device, dtype)
    intake = Intake(model.config, rows, LENGTH, POSITIONS, model.codes.device)
    generator = torch.Generator().manual_seed(5)
    prompt = intake.prompt_rows()
    prompt.copy_(torch.randint(0, model.config.text_vocab, prompt.shape, generator=generator))
    prompt[..., 1:].remainder_(model.config.predictor.vocab)
    intake.numbers[:, 0] = torch.arange(rows)
    intake.numbers[:, 1], intake.numbers[:, 2] = LENGTH, 1 << 20
    computer.arrive(state, intake)
    assert int(state.progress[0, 0]) == Status.RUNNING
    for _ in range(FRAMES):
        computer.frame(state)
    return seen


def main() -> None:
    """Print one JSON line a way of computing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", default="1.7b")
    parser.add_argument("--rows", default="1,64")
    args = parser.parse_args()
    torch.set_grad_enabled(False)
    torch.backends.cuda.matmul.allow_tf32 = False
    model = random_model(args.size, POSITIONS, torch.device("cuda"), torch.bfloat16)
    wide = widened(model)
    for rows in map(int, args.rows.split(",")):
        wanted = logits(wide, "torch", rows)
        for name in ("torch", "library", "triton"):
            got = logits(model, name, rows)
            row: dict[str, object] = {"rows": rows, "kernels": name, "dtype": "bfloat16"}
            for part, every in (("talker", slice(0, None, 16)), ("predictor", None)):
                pairs = list(zip(got, wanted, strict=True))
                chosen = pairs[every] if every else [p for i, p in enumerate(pairs) if i % 16]
                a = torch.cat([one.flatten() for one, _ in chosen])
                b = torch.cat([one.flatten() for _, one in chosen])
                cosine = torch.nn.functional.cosine_similarity(a, b, 0)
                row[f"{part}_cosine"] = round(float(cosine), 7)
                row[f"{part}_max_abs"] = round(float((a - b).abs().max()), 4)
                row[f"{part}_relative"] = round(float((a - b).norm() / b.norm()), 5)
            print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
