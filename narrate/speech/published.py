"""The one door to the published package `qwen-tts`: it loads quietly, and only when asked.

Importing `qwen_tts` imports torchaudio and the `sox` package for its 25 Hz tokenizer, which we
never use. The registry's torchaudio does not load beside a torch built for the CPU, and `sox`
complains on standard error when there is no SoX program. While the package is imported, empty
modules stand in for both; afterwards the names are free again for whoever wants the real ones.
Its advice about flash-attn goes to standard output, which is ours alone, so it is dropped.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import io
import logging
import sys
import warnings
from collections.abc import Callable, Iterator
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

from narrate.errors import BackendError

__all__ = ["from_extra", "load_published", "load_weights"]

_STAND_INS = ("sox", "torchaudio", "torchaudio.compliance", "torchaudio.compliance.kaldi")
_CHATTY = ("transformers", "huggingface_hub", "qwen_tts", "torch._dynamo", "torch._inductor")


@contextlib.contextmanager
def from_extra(
    missing: str = "the speech model's package is not installed", remedy: str = "install it"
) -> Iterator[None]:
    """Turn the ImportError of a library of the extra [qwen] into a `BackendError`."""
    try:
        yield
    except ImportError as error:
        raise BackendError(
            missing, where=str(error), remedy=f"{remedy}: pip install 'narrate[qwen]'"
        ) from error


@functools.cache
def load_published() -> Any:
    """The module `qwen_tts`, imported on the first call (some seconds); `BackendError` without it.

    Typed `Any`: the package ships no annotations that a type checker could use.
    """
    with (
        from_extra(),
        _stand_ins(),
        contextlib.redirect_stdout(io.StringIO()),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        module = importlib.import_module("qwen_tts")
    _hush()
    return module


def load_weights(load: Callable[..., Any], folder: Path, **options: Any) -> Any:
    """Call one of the package's `from_pretrained`; what goes wrong inside is a `BackendError`."""
    try:
        return load(str(folder), **options)
    except (ImportError, KeyError, OSError, RuntimeError, TypeError, ValueError) as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise BackendError(
            f"the model cannot be loaded: {first[:200].rstrip('.')}",
            where=str(folder),
            remedy="download it again, or use --model 0.6b where memory is short",
        ) from error


@contextlib.contextmanager
def _stand_ins() -> Iterator[None]:
    """Put empty modules where torchaudio and sox would be, and what was there back afterwards."""
    before = {name: sys.modules.get(name) for name in _STAND_INS}
    for name in _STAND_INS:
        module = ModuleType(name)
        module.__path__, module.__spec__ = [], ModuleSpec(name, None, is_package=True)
        sys.modules[name] = module
        parent, _, child = name.rpartition(".")
        if parent:
            setattr(sys.modules[parent], child, module)
    try:
        yield
    finally:
        for name, module_before in before.items():
            if module_before is None:
                sys.modules.pop(name, None)
            else:
                sys.modules[name] = module_before


def _hush() -> None:
    """Keep advice meant for programmers, progress bars and warnings off a listener's terminal."""
    transformers_logging: Any = importlib.import_module("transformers.utils.logging")
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.ERROR)
