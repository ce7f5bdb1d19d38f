"""The published model in memory: loaded once, asked for a batch at a time.

Two things are changed from outside, by wrapping methods of the loaded object. Sampling: the
published code draws from one global generator for the whole batch, so a row's result hangs on its
neighbours. Here each draw adds Gumbel noise that is a function of (seed, frame, group, token) and
takes the largest score, which is the same distribution; what is left of the neighbours is the
rounding of a matrix product of another shape. Length: each row is cut at its own cap, and a
row that has not ended by then is a runaway.
"""

from __future__ import annotations

import gc
import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from narrate.core import VoicePrompt
from narrate.engine.kernels.noise import gumbel
from narrate.engine.loops import goes_round
from narrate.errors import BackendError
from narrate.speech.backend import SpeechOptions
from narrate.speech.models import Checkpoint, check_tensors
from narrate.speech.published import load_published, load_weights

__all__ = ["OfficialModel", "OutOfMemory", "Request", "Said"]

_FLASH = "flash_attention_2"
# What they record on a card overwrites, in each step, what the model kept of the step before.
_RECORDING_MODES = ("reduce-overhead", "max-autotune")
_FRAME_BYTES = 350_000  # one row's keys, values and the hidden states that are kept, 28 layers
_ROW_BYTES = 1_000_000_000  # one row in the codec's decoder, 300 frames at a time
_SHARE = 0.75
_MOST_ROWS, _ROWS_ON_CPU = 64, 8

OutOfMemory = torch.OutOfMemoryError


@dataclass(frozen=True, slots=True)
class Request:
    """One row of a batch; `language` is the model's own name for it."""

    text: str
    language: str
    seed: int
    frame_cap: int


@dataclass(frozen=True, slots=True, eq=False)
class Said:
    """What came out of a row: `runaway`, it had not ended at its cap; `loop`, it went round."""

    samples: NDArray[np.float32]
    frames: int
    runaway: bool
    loop: bool

    @property
    def checks(self) -> Mapping[str, object]:
        """What a listener should know about it."""
        faults = {"runaway": self.runaway, "loop": self.loop}
        return {"frames": self.frames} | {name: True for name, found in faults.items() if found}


class OfficialModel:
    """`qwen_tts.Qwen3TTSModel` on the best device there is: bf16 on CUDA, fp32 on the CPU."""

    def __init__(self, checkpoint: Checkpoint, options: SpeechOptions) -> None:
        self._kind = checkpoint.kind
        cuda = torch.cuda.is_available()
        _check_attention(options.attention, cuda)
        _check_mode(options.compile, cuda)
        self._device = torch.device("cuda" if cuda else "cpu")
        half = cuda and torch.cuda.is_bf16_supported(including_emulation=False)
        usual = "bfloat16" if half else "float32"
        dtype = getattr(torch, options.precision or usual)
        torch.set_float32_matmul_precision("high" if options.tf32 else "highest")
        torch.backends.cudnn.allow_tf32 = options.tf32
        torch.backends.cudnn.benchmark = options.cudnn_benchmark
        where = {"device_map": str(self._device)} if cuda else {}
        self._package = load_published()
        self._model: Any = load_weights(
            self._package.Qwen3TTSModel.from_pretrained,
            checkpoint.folder,
            dtype=dtype,
            attn_implementation=options.attention,
            **where,
        )
        check_tensors(checkpoint.folder, _parameters(self._model.model))
        codec = self._model.model.speech_tokenizer.model
        check_tensors(checkpoint.folder / "speech_tokenizer", _parameters(codec))
        self._talker: Any = self._model.model.talker
        self._draws = _Draws(self._talker)
        self._codes: list[Any] = []
        self._caps: list[int] = []
        self._cut_rows()
        if options.compile is not None:
            for stack in (self._talker.model, self._talker.code_predictor.model):
                stack.compile(mode=options.compile, dynamic=True)
        # What loading left behind goes now, and what stays is never looked through again. A full
        # collection takes half a second here, and Python drops a Ctrl-C that falls into one.
        gc.collect()
        gc.freeze()
        if self.in_use["attention"] != options.attention:
            raise BackendError(
                f"the model uses the attention {self.in_use['attention']}",
                where=f"--attention {options.attention}",
                remedy="choose another with --attention",
            )

    @property
    def in_use(self) -> Mapping[str, str]:
        """Attention, device and precision, read back from the model itself."""
        stacks = (self._talker.model, self._talker.code_predictor.model)
        names = dict.fromkeys(str(stack.config._attn_implementation) for stack in stacks)
        return {
            "attention": " and ".join(names),
            "device": str(self._talker.device),
            "precision": str(self._talker.dtype).removeprefix("torch."),
        }

    def rows(self, frames: int) -> int:
        """How many rows of so many frames, prompt included, fit into the free memory."""
        if self._device.type != "cuda":
            return _ROWS_ON_CPU
        free, _ = torch.cuda.mem_get_info()
        return max(1, min(_MOST_ROWS, int(_SHARE * free / (_ROW_BYTES + frames * _FRAME_BYTES))))

    def free_memory(self) -> None:
        """Give back what a failed batch left behind."""
        if self._device.type == "cuda":
            torch.cuda.empty_cache()

    def close(self) -> None:
        """Let go of the model; it is of no use afterwards."""
        # NOTE: the model holds itself in cycles, and what was frozen is never collected: without
        # the thaw every model that a process ever loaded stays on the card.
        del self._model, self._talker, self._draws
        gc.unfreeze()
        gc.collect()
        self.free_memory()

    def say(self, requests: Sequence[Request], prompt: VoicePrompt) -> list[Said]:
        """Speak one batch; samples are mono at the codec's rate."""
        self._caps = [one.frame_cap for one in requests]
        self._draws.seeds = torch.tensor([one.seed for one in requests], device=self._device)
        # One token more than the cap tells a row that ended there from one that did not, and the
        # published code never returns the last token's frame.
        most = max(self._caps) + 2
        waves, _ = self._speaker(prompt)(
            text=[one.text for one in requests],
            language=[one.language for one in requests],
            max_new_tokens=most,
            do_sample=True,
            subtalker_dosample=True,
        )
        return [
            Said(
                np.asarray(wave, np.float32),
                min(len(codes), cap),
                runaway=len(codes) > cap,
                loop=goes_round(codes[:cap].cpu().numpy()),
            )
            for wave, codes, cap in zip(waves, self._codes, self._caps, strict=True)
        ]

    def _speaker(self, prompt: VoicePrompt) -> Callable[..., Any]:
        """The published method for this kind of model, with the voice filled in."""
        makers: Mapping[str, Callable[[], tuple[Any, dict[str, Any]]]] = {
            "base": lambda: (self._model.generate_voice_clone, self._cloned(prompt)),
            "custom_voice": lambda: (
                self._model.generate_custom_voice,
                {"speaker": [prompt.speaker_name] * len(self._caps)},
            ),
            "voice_design": lambda: (
                self._model.generate_voice_design,
                {"instruct": [prompt.instruct] * len(self._caps)},
            ),
        }
        method, voice = makers[self._kind]()
        return lambda **given: method(**voice, **given)

    def _cloned(self, prompt: VoicePrompt) -> dict[str, Any]:
        # NOTE: a list of items; the dict form of the same argument loses the transcript.
        in_context = prompt.codes is not None
        item = self._package.VoiceClonePromptItem(
            ref_code=torch.from_numpy(prompt.codes).to(self._device) if in_context else None,
            ref_spk_embedding=torch.from_numpy(prompt.speaker).to(self._device),
            x_vector_only_mode=not in_context,
            icl_mode=in_context,
            ref_text=prompt.reference_text if in_context else None,
        )
        return {"voice_clone_prompt": [item] * len(self._caps)}

    def _cut_rows(self) -> None:
        """Between the codes and their decoding: keep the codes, and cut the rows at their caps."""
        generate = self._model.model.generate

        def cut(**given: Any) -> tuple[list[Any], Any]:
            codes, hidden = generate(**given)
            self._codes = codes
            return [row[:cap] for row, cap in zip(codes, self._caps, strict=True)], hidden

        self._model.model.generate = cut


class _Draws:
    """Takes the drawing of codes out of the global generator's hands, for both transformers."""

    def __init__(self, talker: Any) -> None:
        self.seeds = torch.zeros(0, dtype=torch.int64)
        self._frame = 0
        _append_processor(talker, self._first)
        _append_processor(talker.code_predictor, self._other)

    def _first(self, drawn: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        self._frame = drawn.shape[1]
        return self._chosen(scores, 0)

    def _other(self, drawn: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        return self._chosen(scores, drawn.shape[1] + 1)

    def _chosen(self, scores: torch.Tensor, group: int) -> torch.Tensor:
        """Scores that leave one token: the one with the largest sum of score and noise."""
        frames = torch.full_like(self.seeds, self._frame)
        noise = gumbel(self.seeds, frames, group, scores.shape[1])
        best = (scores + noise).argmax(dim=1, keepdim=True)
        return torch.full_like(scores, -torch.inf).scatter_(1, best, 0.0)


def _parameters(model: Any) -> list[str]:
    return [name for name, _ in model.named_parameters()]


def _append_processor(
    generator: Any, process: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
) -> None:
    """Make `process` the last word on scores, behind temperature and top-k."""
    make = generator._get_logits_processor

    def make_with_last_word(*given: Any, **named: Any) -> Any:
        processors = make(*given, **named)
        processors.append(process)
        return processors

    generator._get_logits_processor = make_with_last_word


def _check_mode(mode: str | None, cuda: bool) -> None:
    if cuda and mode in _RECORDING_MODES:
        raise BackendError(
            "the published package cannot speak from CUDA graphs, which this mode records",
            where=f"--compile {mode}",
            remedy="use --compile default, or --backend qwen, which has CUDA graphs of its own",
        )


def _check_attention(attention: str, cuda: bool) -> None:
    if attention != _FLASH:
        return
    remedy = "use --attention sdpa; `narrate doctor` says what can run here"
    if not cuda:
        raise BackendError(
            "FlashAttention 2 needs a CUDA card, and none can be used here",
            where=f"--attention {_FLASH}",
            remedy=remedy,
        )
    try:
        importlib.import_module("flash_attn")
    except (ImportError, OSError) as error:
        raise BackendError(
            "flash-attn is not installed, or not for this torch",
            where=str(error).splitlines()[0],
            remedy=remedy,
        ) from error
