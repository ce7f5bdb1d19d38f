"""Matrix products by cuBLASLt with a kernel that we name, where its own choice is a slow one.

torch takes the kernel that the library's heuristic puts first. For some shapes of a frame another
of its kernels is 3 to 25 % faster (docs/log.md). The table names those that were measured; of
anything else, on another kind of card and with a library that does not take the name, nothing
better is known. Nothing is measured while a book is spoken: a product has the same kernel, and so
the same bytes, in every run.
"""

from __future__ import annotations

import ctypes
from ctypes import byref, c_float, c_int, c_int64, c_size_t, c_uint16, c_uint32, c_uint64, c_void_p
from functools import cache
from typing import Any, NamedTuple

import torch

from narrate.errors import BackendError

__all__ = ["CHOICES", "add", "product"]


class Choice(NamedTuple):
    """One of the library's kernels, by its enumerations: tile, custom option, cluster shape."""

    tile: int
    option: int
    cluster: int


_Shape = tuple[int, int, int]

# By rows, columns and depth of a product; on an H200, cuBLAS 13.1 (docs/log.md).
CHOICES: dict[_Shape, Choice] = {
    (768, 4096, 1024): Choice(33, 3, 5),  # tile 128 x 96
    (768, 6144, 1024): Choice(184, 0, 3),
    (768, 1024, 3072): Choice(26, 1, 3),  # 64 x 96
    (768, 2048, 6144): Choice(116, 0, 3),
    (1024, 4096, 1024): Choice(20, 1, 3),  # 128 x 128
    (1024, 1024, 2048): Choice(17, 0, 3),  # 64 x 128
    (1024, 1024, 3072): Choice(17, 0, 3),
    (1024, 4096, 2048): Choice(20, 1, 3),
}
_HOPPER, _MULTIPROCESSORS = (9, 0), 132  # which is better hangs on how many there are to fill
_HOPPER_KERNELS = 66  # the library's number for this card's products
_STAGES_AUTO = 35
_SUM_IN_FP32 = 68
_TRANSPOSED = 1
_OPERATION_OF_A = 3  # attributes: of a product, and of an algorithm
_TILE, _OPTION, _STAGES, _CLUSTER = 1, 5, 6, 8
_FP32, _BF16 = 0, 14


class _Algorithm(ctypes.Structure):
    """`cublasLtMatmulAlgo_t`: opaque, passed by address."""

    _fields_ = [("data", c_uint64 * 8)]


class _Checked(ctypes.Structure):
    """`cublasLtMatmulHeuristicResult_t`."""

    _fields_ = [
        ("algorithm", _Algorithm),
        ("workspace_bytes", c_size_t),
        ("state", c_int),
        ("waves", c_float),
        ("reserved", c_int * 4),
    ]


class _Plan(NamedTuple):
    """A product described once: the library's handles, which live as long as the process."""

    library: Any
    description: c_void_p
    weight: c_void_p
    x: c_void_p
    out: c_void_p
    algorithm: _Algorithm


def product(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor | None:
    """x @ weight.T, None where no better kernel than the usual is known.

    x [n, in] and weight [columns, in] contiguous -> [n, columns], all bf16; sums are fp32 and
    rounded once.
    """
    plan = _plan_of(x, weight)
    if plan is None:
        return None
    out = torch.empty(len(x), len(weight), dtype=x.dtype, device=x.device)
    _compute(plan, x, weight, out, 0.0)
    return out


def add(to: torch.Tensor, x: torch.Tensor, weight: torch.Tensor) -> bool:
    """Add x @ weight.T to `to` [n, columns], as `product` makes it; False: nothing is done."""
    plan = _plan_of(x, weight)
    if plan is not None:
        _compute(plan, x, weight, to, 1.0)
    return plan is not None


def _plan_of(x: torch.Tensor, weight: torch.Tensor) -> _Plan | None:
    shape = len(x), *weight.shape
    known = shape in CHOICES and x.is_cuda and x.dtype == weight.dtype == torch.bfloat16
    return _planned(shape, x.device.index) if known else None


def _compute(
    plan: _Plan, x: torch.Tensor, weight: torch.Tensor, out: torch.Tensor, keep: float
) -> None:
    """Out = x @ weight.T + keep * out, in the current stream."""
    status = plan.library.cublasLtMatmul(
        c_void_p(torch.cuda.current_blas_handle()), plan.description,
        byref(c_float(1.0)), c_void_p(weight.data_ptr()), plan.weight,
        c_void_p(x.data_ptr()), plan.x,
        byref(c_float(keep)), c_void_p(out.data_ptr()), plan.out,
        c_void_p(out.data_ptr()), plan.out,
        byref(plan.algorithm), None, c_size_t(0),
        c_void_p(torch.cuda.current_stream().cuda_stream),
    )  # fmt: skip
    if status:
        raise BackendError(
            f"cuBLASLt refused a product of {len(x)} x {tuple(weight.shape)}: status {status}"
        )


@cache
def _planned(shape: _Shape, card: int) -> _Plan | None:
    """The plan of a product on a card, None where the library has no such kernel there."""
    library = _library()
    about = torch.cuda.get_device_properties(card)
    measured = (about.major, about.minor), about.multi_processor_count
    if library is None or measured != (_HOPPER, _MULTIPROCESSORS):
        return None
    rows, columns, depth = shape
    description, weight, x, out = (c_void_p() for _ in range(4))
    # The library counts by columns: what is [columns, depth] here is its transpose there.
    made = (
        library.cublasLtMatmulDescCreate(byref(description), c_int(_SUM_IN_FP32), c_int(_FP32)),
        _set(
            library.cublasLtMatmulDescSetAttribute,
            description,
            _OPERATION_OF_A,
            c_int(_TRANSPOSED),
        ),
        _layout(library, weight, depth, columns),
        _layout(library, x, depth, rows),
        _layout(library, out, columns, rows),
    )
    algorithm, checked = _Algorithm(), _Checked()
    handle = c_void_p(torch.cuda.current_blas_handle())  # cuBLAS's serves cuBLASLt as well
    types = map(c_int, (_SUM_IN_FP32, _FP32, _BF16, _BF16, _BF16, _BF16))
    begun = library.cublasLtMatmulAlgoInit(handle, *types, c_int(_HOPPER_KERNELS), byref(algorithm))
    if any(made) or begun:
        return None
    choice = CHOICES[shape]
    attributes = (
        (_TILE, c_uint32(choice.tile)),
        (_STAGES, c_uint32(_STAGES_AUTO)),
        (_OPTION, c_uint32(choice.option)),
        (_CLUSTER, c_uint16(choice.cluster)),
    )
    set_one = library.cublasLtMatmulAlgoConfigSetAttribute
    refused = [_set(set_one, byref(algorithm), name, value) for name, value in attributes]
    refused.append(
        library.cublasLtMatmulAlgoCheck(
            handle, description, weight, x, out, out, byref(algorithm), byref(checked)
        )
    )
    if any(refused) or checked.workspace_bytes:
        return None
    return _Plan(library, description, weight, x, out, algorithm)


def _set(setter: Any, of: Any, name: int, value: ctypes._SimpleCData[int]) -> int:
    status: int = setter(of, c_int(name), byref(value), c_size_t(ctypes.sizeof(value)))
    return status


def _layout(library: Any, to: c_void_p, height: int, width: int) -> int:
    status: int = library.cublasLtMatrixLayoutCreate(
        byref(to), c_int(_BF16), c_uint64(height), c_uint64(width), c_int64(height)
    )
    return status


@cache
def _library() -> Any:
    """The library that torch has loaded, None where it has none or an unknown one."""
    version = torch.version.cuda
    try:
        return ctypes.CDLL(f"libcublasLt.so.{(version or '0').partition('.')[0]}")
    except OSError:
        return None
