"""Products of a frame by the library's own choice of kernel, and by the one that the engine names.

    python -m benchmarks.products FILE.json

Every shape in the engine's table, weights from memory, replays of a CUDA graph; the error of each
is relative to float64.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
import torch.nn.functional as F

from benchmarks.timing import Record, distance, microseconds, normal, weights_from_memory, write
from narrate.engine.kernels import cublas_lt

ADDING = {(1024, 2048), (1024, 3072), (2048, 2048), (2048, 6144)}  # out and down: columns, depth


def one_product(rows: int, columns: int, depth: int) -> Record:
    """Microseconds of both, weights never in the card's cache."""
    weights = weights_from_memory(columns, depth)
    x, kept = normal(rows, depth), normal(rows, columns)
    adds = (columns, depth) in ADDING

    def usual(weight: torch.Tensor, to: torch.Tensor) -> torch.Tensor:
        return to.addmm_(x, weight.t()) if adds else F.linear(x, weight)

    def named(weight: torch.Tensor, to: torch.Tensor) -> torch.Tensor | None:
        if adds:
            return to if cublas_lt.add(to, x, weight) else None
        return cublas_lt.product(x, weight)

    wanted = x.double() @ weights[0].double().t() + (kept.double() if adds else 0.0)
    record: Record = {"rows": rows, "columns": columns, "depth": depth, "adds": adds}
    made = []
    for label, way in (("usual", usual), ("named", named)):
        got = way(weights[0], kept.clone())
        if got is None:
            record[label] = "the library does not take this name"
            continue
        made.append(got)
        scratch = torch.zeros_like(kept)
        spent = microseconds(
            lambda way=way, scratch=scratch: [way(w, scratch) for w in weights],  # type: ignore[misc]
            len(weights),
        )
        record[label] = {"us": round(spent, 2), "error": distance(got, wanted)}
    record["equal"] = len(made) == 2 and torch.equal(*made)
    print(record, flush=True)
    return record


def main() -> None:
    """Measure every shape of the table, print, write."""
    torch.set_grad_enabled(False)
    write(Path(sys.argv[1]), [one_product(*shape) for shape in sorted(cublas_lt.CHOICES)])


if __name__ == "__main__":
    main()
