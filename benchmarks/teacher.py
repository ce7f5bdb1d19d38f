"""How far a step in 16 bits is from the published package in fp32, the package's own included.

    python -m benchmarks.teacher --model FOLDER --rows 1,64 --json FILE

Teacher-forced logits of the talker and of all fifteen predictor steps, on the same weights, prompts
and codes: the engine by its kernels, frame by frame, also with its weights at a byte each, and the
published package over whole sequences, in fp32 (what all are compared with) and in bf16. A folder
of the published size with random weights: `python -m narrate.bench.weights FOLDER --size 1.7b`.
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from narrate.bench.machine import environment as facts_of_this_machine
from narrate.engine.config import ModelConfig, read_config
from narrate.engine.kernels import Feed, Kernels, Rows, Rules
from narrate.engine.model.frame import Computer
from narrate.engine.model.layers import Model
from narrate.engine.model.talker import embed
from narrate.engine.sampler import SamplingOptions, rules_of
from narrate.engine.scheduler import Status
from narrate.engine.state import Intake, State
from narrate.engine.weights import build_model, checkpoint_tensors
from narrate.speech.published import load_published, load_weights

POSITIONS, FRAMES, LENGTH = 128, 8, 48
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")

# [frames * groups] of [rows, vocab] in fp32: frame by frame, group by group.
Logits = list[torch.Tensor]


def loaded(
    folder: Path, config: ModelConfig, dtype: torch.dtype, packed: str | None = None
) -> Model:
    """The engine's model of a checkpoint."""
    with checkpoint_tensors(folder, config, DEVICE) as take:
        return build_model(config, take, DEVICE, dtype, POSITIONS, packed)


def offsets(config: ModelConfig) -> torch.Tensor:
    """Where each group's codes begin in the table of all codes [groups]."""
    return torch.tensor([config.code_offset(group) for group in range(config.groups)])


def script(config: ModelConfig, rows: int) -> tuple[torch.Tensor, torch.Tensor]:
    """What all are told: prompts [rows, length, 1 + groups] and codes [frames, rows, groups]."""
    random = torch.Generator().manual_seed(3)
    vocab = config.predictor.vocab
    prompts = torch.randint(0, vocab, (rows, LENGTH, 1 + config.groups), generator=random)
    prompts[..., 0] = torch.randint(0, config.text_vocab, (rows, LENGTH), generator=random)
    codes = torch.randint(0, vocab, (FRAMES, rows, config.groups), generator=random)
    prompts[..., 1:] += offsets(config)
    return prompts.int().to(DEVICE), codes.to(DEVICE)


def by_engine(model: Model, name: str, prompts: torch.Tensor, codes: torch.Tensor) -> Logits:
    """The engine's logits: the prompts come, then frame after frame with the codes given."""
    config, rows = model.config, len(prompts)
    seen: Logits = []
    steps = iter(range(FRAMES * config.groups))

    def force(found: torch.Tensor, group: int, rules: Rules, held: Rows, feed: Feed) -> None:
        frame, expected = divmod(next(steps), config.groups)
        assert expected == group
        seen.append(found.sum(0) if found.dim() == 3 else found.float().clone())
        code = codes[frame, :, group]
        if feed.step is not None and feed.x is not None:
            feed.x.copy_(feed.step[code])
        if group == 0:
            feed.total.zero_()
        feed.total.add_(feed.embedding[code])
        held.codes[:, group] = code

    kernels = replace(Kernels.choose(DEVICE, name), sample=force)
    computer = Computer(model, kernels, *rules_of(config, SamplingOptions()))
    state = State(config, rows, POSITIONS, DEVICE, model.codes.dtype)
    intake = Intake(config, rows, LENGTH, POSITIONS, DEVICE)
    intake.prompt_rows().copy_(prompts)
    intake.numbers[:, 0] = torch.arange(rows)
    intake.numbers[:, 1], intake.numbers[:, 2] = LENGTH, 1 << 20
    computer.arrive(state, intake)
    assert int(state.progress[0, 0]) == Status.RUNNING
    for _ in range(FRAMES):
        computer.frame(state)
    return seen


def by_package(talker: Any, model: Model, prompts: torch.Tensor, codes: torch.Tensor) -> Logits:
    """The published package's logits over whole sequences; `model` embeds what it is told."""
    config, rows = model.config, len(prompts)
    said = torch.zeros(rows, FRAMES, 1 + config.groups, dtype=torch.int32, device=DEVICE)
    said[..., 1:] = codes.transpose(0, 1) + offsets(config).to(
        DEVICE
    )  # text row 0, as in an empty `State.trailing`
    x = embed(model, torch.cat([prompts, said[:, :-1]], 1))
    states = talker.model(inputs_embeds=x).last_hidden_state[:, LENGTH - 1 :]
    seen: Logits = []
    for frame in range(FRAMES):
        state = states[:, frame]
        seen.append(talker.codec_head(state).float())
        others = talker.forward_sub_talker_finetune(codes[frame], state)[0]
        seen += [one.float() for one in others.transpose(0, 1)]
    return seen


def published(folder: Path, dtype: torch.dtype) -> Any:
    """The published package's talker, in torch's own attention."""
    where = {"device_map": str(DEVICE)} if DEVICE.type == "cuda" else {}
    whole = load_weights(
        load_published().Qwen3TTSModel.from_pretrained,
        folder,
        dtype=dtype,
        attn_implementation="sdpa",
        **where,
    )
    return whole.model.talker


def apart(got: Logits, wanted: Logits, groups: int) -> dict[str, float]:
    """Cosine, largest and relative distance, of the talker's logits and of the predictor's."""
    row: dict[str, float] = {}
    for part, is_talker in (("talker", True), ("predictor", False)):
        chosen = [n for n in range(len(wanted)) if (n % groups == 0) is is_talker]
        a = torch.cat([got[n].flatten() for n in chosen]).double()
        b = torch.cat([wanted[n].flatten() for n in chosen]).double()
        row[f"{part}_cosine"] = round(float(torch.nn.functional.cosine_similarity(a, b, 0)), 8)
        row[f"{part}_max_abs"] = round(float((a - b).abs().max()), 6)
        row[f"{part}_relative"] = round(float((a - b).norm() / b.norm()), 7)
    return row


def compared(
    folder: Path, counts: list[int], kernels: list[str], weights: list[str]
) -> Iterator[dict[str, object]]:
    """One row a number of rows and a way of computing; packed weights by the last kernels."""
    config = read_config(folder)
    told = {rows: script(config, rows) for rows in counts}
    wanted: dict[int, Logits] = {}
    for dtype in (torch.float32, torch.bfloat16):
        name = str(dtype).removeprefix("torch.")
        model, talker = loaded(folder, config, dtype), published(folder, dtype)
        for rows, (prompts, codes) in told.items():
            found = {"published package": by_package(talker, model, prompts, codes)}
            wanted.setdefault(rows, found["published package"])
            for way in kernels if dtype is torch.bfloat16 else ["torch"]:
                found[f"engine, {way}"] = by_engine(model, way, prompts, codes)
            for way, got in found.items():
                if got is not wanted[rows]:
                    distances = apart(got, wanted[rows], config.groups)
                    yield {"rows": rows, "way": way, "dtype": name, **distances}
        del model, talker
        clear()
    for kind in weights:
        model = loaded(folder, config, torch.bfloat16, kind)
        for rows, (prompts, codes) in told.items():
            got = by_engine(model, kernels[-1], prompts, codes)
            distances = apart(got, wanted[rows], config.groups)
            name = f"engine, {kernels[-1]}, {kind}"
            yield {"rows": rows, "way": name, "dtype": "bfloat16", **distances}
        del model
        clear()


def clear() -> None:
    """Give back the memory of what is no longer held."""
    gc.collect()
    if DEVICE.type == "cuda":
        torch.cuda.empty_cache()


def main() -> None:
    """Print one JSON line a way of computing, and write them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--rows", default="1,64")
    parser.add_argument("--kernels", default="torch,library" if DEVICE.type == "cuda" else "torch")
    parser.add_argument("--weights", default="int8,fp8")
    parser.add_argument("--commit", default="")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    torch.backends.cuda.matmul.allow_tf32 = False
    counts = [int(rows) for rows in args.rows.split(",")]
    lines: list[dict[str, object]] = []
    with torch.inference_mode():
        kernels, weights = args.kernels.split(","), args.weights.split(",")
        for line in compared(args.model, counts, kernels, weights):
            print(json.dumps(line), flush=True)
            lines.append(line)
    if args.json:
        facts = {
            **facts_of_this_machine(args.commit or None),
            "command": " ".join(["python -m benchmarks.teacher", *sys.argv[1:]]),
            "against": "published package, fp32",
            "rows": lines,
        }
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps(facts, indent=2) + "\n")


if __name__ == "__main__":
    main()
