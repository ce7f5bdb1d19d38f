"""A flow's parameters from the fields of a frozen value, so that they are written down once."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import MISSING, fields
from typing import Any, TypeVar, get_type_hints

__all__ = ["parameters_of"]

_Function = TypeVar("_Function", bound=Callable[..., Any])


def parameters_of(kind: type[Any]) -> Callable[[_Function], _Function]:
    """Give a function the fields of a dataclass as keyword parameters, types and defaults too.

    Prefect reads a flow's parameters from its signature: for its pages, for `-p` and to check them.
    """
    types = get_type_hints(kind)

    def given(function: _Function) -> _Function:
        function.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
            [
                inspect.Parameter(
                    field.name,
                    inspect.Parameter.KEYWORD_ONLY,
                    default=inspect.Parameter.empty if field.default is MISSING else field.default,
                    annotation=types[field.name],
                )
                for field in fields(kind)
            ]
        )
        return function

    return given
