"""The process that loads torch to see what it can do here: facts as JSON on standard output.

Run as a script. Loading torch takes seconds and may fail in ways that end a process, so it is never
done in ours for a question. Only the standard library is imported before the facts are asked for.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import io
import json
import sys
import warnings
from collections.abc import Callable
from typing import Any

FLASH = "flash_attn"


def _import(name: str) -> tuple[Any, str | None]:
    """Return a module, or None and why it does not load; (None, None) where it is not installed."""
    if importlib.util.find_spec(name) is None:
        return None, None
    try:
        return importlib.import_module(name), None
    # An extension that was built for another torch fails in whatever way it likes.
    except Exception as error:  # noqa: BLE001 - told to the parent, which says it to the user
        first = (str(error).splitlines() or [""])[0]
        return None, f"{type(error).__name__}: {first}"


def _torch_facts(torch: Any) -> dict[str, object]:
    facts: dict[str, Callable[[], object]] = {
        "torch": lambda: str(torch.__version__),
        "torch_cuda": lambda: torch.version.cuda,
        "torch_abi": lambda: bool(torch._C._GLIBCXX_USE_CXX11_ABI),
        "torch_arches": lambda: list(torch.cuda.get_arch_list()),
        "torch_cards": lambda: (
            [
                [properties.name, properties.major, properties.minor, properties.total_memory]
                for properties in map(
                    torch.cuda.get_device_properties, range(torch.cuda.device_count())
                )
            ]
            if torch.cuda.is_available()
            else []
        ),
    }
    found: dict[str, object] = {}
    for name, ask in facts.items():
        with contextlib.suppress(RuntimeError, AttributeError, AssertionError):
            found[name] = ask()
    return found


def main() -> None:
    """Print the facts as one JSON object, whatever the packages print while they load."""
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch, torch_error = _import("torch")
        facts = {"torch_error": torch_error} | (_torch_facts(torch) if torch else {})
        if torch:
            flash, facts["flash_attn_error"] = _import(FLASH)
            facts["flash_attn"] = str(getattr(flash, "__version__", "?")) if flash else None
    json.dump(facts, sys.stdout)


if __name__ == "__main__":
    main()
