"""The options that several commands share: a type each, with its help."""

from __future__ import annotations

from typing import Annotated

import typer

from narrate.errors import UsageError

__all__ = [
    "Attention",
    "Author",
    "Backend",
    "BatchSize",
    "Compile",
    "Concurrency",
    "Cover",
    "CudaGraphs",
    "CudnnBenchmark",
    "Description",
    "Formats",
    "FramesPerCharacter",
    "Include",
    "Kernels",
    "Master",
    "MaxContext",
    "Model",
    "Narrator",
    "Precision",
    "Series",
    "Server",
    "Tf32",
    "Title",
    "VerifyAsr",
    "Voice",
    "VoiceDesign",
    "VoiceText",
    "VoiceTextFile",
    "Workers",
    "Year",
]

AUTO = "auto"


def _rows(batch_size: str) -> int | None:
    """Understand `--batch-size`: None for `auto`; a UsageError for what is no number."""
    if batch_size == AUTO:
        return None
    if not batch_size.isdecimal():
        raise UsageError(
            f"--batch-size does not understand {batch_size!r}",
            remedy="use auto, or a number from 1 up",
        )
    return int(batch_size)


Voice = Annotated[
    str | None,
    typer.Option(
        "--voice",
        metavar="VOICE",
        help="Who speaks: a recording, the name of a kept voice, or qwen:SPEAKER.",
    ),
]
VoiceText = Annotated[
    str | None,
    typer.Option("--voice-text", metavar="WORDS", help="What is said in the recording."),
]
VoiceTextFile = Annotated[
    str | None,
    typer.Option(
        "--voice-text-file", metavar="FILE", help="The same in a file; me.txt beside me.wav does."
    ),
]
VoiceDesign = Annotated[
    str | None,
    typer.Option("--voice-design", metavar="WORDS", help="A voice made from a description."),
]
Backend = Annotated[
    str,
    typer.Option(
        "--backend", metavar="NAME", help="What speaks; auto is the best that can do the voice."
    ),
]
Model = Annotated[
    str | None,
    typer.Option("--model", metavar="MODEL", help="1.7b, 0.6b, a folder, or a name on the hub."),
]
Server = Annotated[
    str | None,
    typer.Option("--server", metavar="URL", help="A server that speaks, OpenAI's kind."),
]
Concurrency = Annotated[
    int | None,
    typer.Option("--concurrency", metavar="N", help="Requests to the server at a time, 8 or N."),
]
Attention = Annotated[
    str | None,
    typer.Option(
        "--attention",
        metavar="NAME",
        help="The published package's: sdpa, flash_attention_2, eager.",
    ),
]
BatchSize = Annotated[
    int | None,
    typer.Option("--batch-size", metavar="N", parser=_rows, help="Sentences at a time, or auto."),
]
Compile = Annotated[
    str | None,
    typer.Option(
        "--compile", metavar="MODE", help="Compile the published package: a mode of torch.compile."
    ),
]
Tf32 = Annotated[bool, typer.Option("--tf32", help="Let the card round fp32 products to TF32.")]
CudnnBenchmark = Annotated[
    bool,
    typer.Option(
        "--cudnn-benchmark", help="The published package's: cuDNN times its convolutions first."
    ),
]
Precision = Annotated[
    str | None,
    typer.Option(
        "--precision", metavar="NAME", help="bfloat16 or float32; the device's own by default."
    ),
]
Kernels = Annotated[
    str | None,
    typer.Option(
        "--kernels", metavar="NAME", help="The engine's: auto, library, triton, sdpa or torch."
    ),
]
Weights = Annotated[
    str | None,
    typer.Option("--weights", metavar="NAME", help="A byte for each of the engine's: int8 or fp8."),
]
CudaGraphs = Annotated[
    bool,
    typer.Option(
        "--cuda-graphs/--no-cuda-graphs", help="Whether the engine records frames and replays them."
    ),
]
MaxContext = Annotated[
    int | None,
    typer.Option(
        "--max-context", metavar="N", help="The engine's positions of a row, prompt included; 1024."
    ),
]
FramesPerCharacter = Annotated[
    float | None,
    typer.Option(
        "--frames-per-character",
        metavar="X",
        help="Where a sentence that does not end is cut, in frames of 80 ms; 2 by default.",
    ),
]

Include = Annotated[
    str | None,
    typer.Option(
        "--include",
        metavar="PARTS",
        help="Parts to speak that are left out, such as footnotes,contents, or all.",
    ),
]

Formats = Annotated[
    str,
    typer.Option(
        "--format",
        metavar="NAMES",
        help="wav, flac, mp3, m4b, opus, srt, vtt, epub3, w3c, or several: mp3,srt.",
    ),
]
Master = Annotated[
    str, typer.Option("--master", metavar="NAME", help="Levels: acx, podcast or none.")
]
Title = Annotated[
    str | None, typer.Option("--title", metavar="WORDS", help="The book's title, as tags have it.")
]
Author = Annotated[str | None, typer.Option("--author", metavar="NAME", help="Who wrote it.")]
Narrator = Annotated[
    str | None, typer.Option("--narrator", metavar="NAME", help="Who is named as its reader.")
]
Cover = Annotated[
    str | None, typer.Option("--cover", metavar="FILE", help="Its picture, JPEG or PNG.")
]
Series = Annotated[
    str | None,
    typer.Option("--series", metavar="NAME", help='Its series, with a number: "Earthsea #2".'),
]
Year = Annotated[
    int | None, typer.Option("--year", metavar="YYYY", help="The year it was published.")
]
Description = Annotated[
    str | None, typer.Option("--description", metavar="WORDS", help="What it is about.")
]
Lexicon = Annotated[
    str | None,
    typer.Option(
        "--lexicon",
        metavar="FILE",
        help="How words are said: written form, tab, spoken form, a line each.",
    ),
]
VerifyAsr = Annotated[
    str | None,
    typer.Option(
        "--verify-asr",
        metavar="MODEL",
        help="Let a recogniser listen: a faster-whisper model's folder, or module:object.",
    ),
]
ReadAsWritten = Annotated[
    bool,
    typer.Option("--read-as-written", help="Leave numbers and abbreviations to the voice."),
]

Workers = Annotated[
    int,
    typer.Option(
        "--workers", metavar="N", help="Processes that speak, each with its card where it has one."
    ),
]

Code = Annotated[
    str,
    typer.Option("--code", metavar="WAY", help="Code blocks: skip, speak, or announce them."),
]
