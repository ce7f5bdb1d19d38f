"""A prompt as numbers of rows: which text row and which code rows are added up at each position.

No torch here: a prompt is an array of integers, and the card turns it into embeddings with one
gather. The layouts are those of the published package (`generate` and `generate_icl_prompt`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from narrate.core import VoicePrompt
from narrate.engine.config import ModelConfig
from narrate.engine.languages import AUTO
from narrate.engine.tokens import TextIds
from narrate.errors import VoiceError

__all__ = ["Prompt", "PromptWriter"]

Rows = NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Prompt:
    """What a row starts from.

    `rows` [length, 1 + groups] int32: the text row and the code rows of each position.
    `trailing` [n] int32: the text row that is added to each frame's codes, then tts_pad for good.
    `spoken_ids`: how many ids the text to be said has.
    """

    rows: Rows
    trailing: Rows
    spoken_ids: int

    @property
    def length(self) -> int:
        """Positions of the prompt."""
        return len(self.rows)


class PromptWriter:
    """Writes the prompts of one voice; `VoiceError` where the checkpoint cannot have that voice."""

    def __init__(
        self, config: ModelConfig, text_ids: TextIds, voice: VoicePrompt, text_first: bool = False
    ) -> None:
        _check(config, voice)
        self.config, self.text_ids, self.voice = config, text_ids, voice
        self.text_first = text_first  # the published non_streaming_mode
        self.no_text, self.no_code = config.text_vocab, config.code_rows + 1
        self._role = text_ids.role()
        # The small model with named speakers follows no instructions; the published one drops them.
        deaf = config.kind == "custom_voice" and config.size in "0b6"
        instruct = None if deaf else voice.instruct
        self._instruct = text_ids.instruction(instruct) if instruct else []
        self._reference: list[int] | None = None
        if voice.codes is not None and voice.reference_text:
            self._reference = text_ids.reference(voice.reference_text)

    def write(self, text: str, language: str) -> Prompt:
        """The prompt of one text in a language that the checkpoint names (or `auto`)."""
        target = self.text_ids.target(text)
        opening = self._opening(language)
        if self._reference is not None:
            body, trailing = self._cloned(target, self._reference)
        else:
            body, trailing = self._plain(target)
        return Prompt(np.concatenate([opening, body]), np.asarray(trailing, np.int32), len(target))

    def _rows(self, text: list[int], codes: list[int]) -> Rows:
        """Positions with a text row and one code row each; the shorter list is filled up."""
        rows = np.full((max(len(text), len(codes)), 1 + self.config.groups), self.no_code, np.int32)
        rows[:, 0] = self.no_text
        rows[: len(text), 0] = text
        rows[: len(codes), 1] = codes
        return rows

    def _opening(self, language: str) -> Rows:
        """Instruction, role, language tags and speaker, up to and with the codec's pad."""
        ids = self.config.ids
        name = self.voice.speaker_name.lower() if self.voice.speaker_name else ""
        if language in ("chinese", AUTO):
            language = self.config.dialects.get(name, language)
        if language == AUTO:
            tags = [ids.nothink, ids.think_bos, ids.think_eos]
        else:
            tags = [ids.think, ids.think_bos, self.config.languages[language], ids.think_eos]
        if name:
            tags.append(self.config.speakers[name])
        elif self.voice.speaker is not None:
            tags.append(self.config.code_rows)
        tags.append(ids.pad)
        text = [ids.tts_pad] * (len(tags) - 1) + [ids.tts_bos]
        return np.concatenate(
            [self._rows([*self._instruct, *self._role], []), self._rows(text, tags)]
        )

    def _cloned(self, target: list[int], reference: list[int]) -> tuple[Rows, list[int]]:
        """Transcript and text over the recording's codes."""
        ids, codes = self.config.ids, self.voice.codes
        assert codes is not None
        offsets = [self.config.code_offset(group) for group in range(self.config.groups)]
        recording = np.full((1 + len(codes), 1 + self.config.groups), self.no_code, np.int32)
        recording[0, 1] = ids.bos
        recording[1:, 1:] = codes + np.asarray(offsets)
        text = [*reference, *target, ids.tts_eos]
        if self.text_first:
            recording[:, 0] = ids.tts_pad
            return np.concatenate([self._rows(text, [ids.pad] * len(text)), recording]), []
        overlaid = text[: len(recording)]
        recording[:, 0] = ids.tts_pad
        recording[: len(overlaid), 0] = overlaid
        return recording, text[len(recording) :]

    def _plain(self, target: list[int]) -> tuple[Rows, list[int]]:
        """Text without a recording: the first text row over the codec's start, or all of it."""
        ids = self.config.ids
        text = [*target, ids.tts_eos]
        if self.text_first:
            pads = [ids.pad] * len(text)
            return self._rows([*text, ids.tts_pad], [*pads, ids.bos]), []
        return self._rows(text[:1], [ids.bos]), text[1:]


def _check(config: ModelConfig, voice: VoicePrompt) -> None:
    if config.kind == "base":
        if voice.speaker is None:
            raise VoiceError(
                "this model clones a voice, but the voice has no speaker embedding",
                remedy="make the voice again from its recording",
            )
        if voice.speaker.shape != (config.talker.hidden,):
            raise VoiceError(
                f"the voice was made for a model of width {len(voice.speaker)}, "
                f"this one has {config.talker.hidden}",
                remedy="make the voice again with this model",
            )
    if voice.codes is not None and voice.codes.shape[1:] != (config.groups,):
        raise VoiceError(
            f"the voice's codes have the shape {list(voice.codes.shape)}, "
            f"the model has {config.groups} groups",
            remedy="make the voice again with this model",
        )
    if voice.codes is not None and not voice.reference_text:
        raise VoiceError(
            "the voice has codes of its recording but no transcript",
            remedy="give the transcript, or make the voice without one",
        )
    name = voice.speaker_name
    if name is not None and name.lower() not in config.speakers:
        known = ", ".join(sorted(config.speakers)) or "none"
        raise VoiceError(f"the model has no speaker {name!r}", remedy=f"choose one of: {known}")
