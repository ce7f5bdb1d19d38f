"""Residual units of the wave decoder in one kernel each; meaning and shapes: `wave.plain_unit`.

For cards of compute capability 9.0, in CUDA, because Triton has no product that begins at any row
of what lies in shared memory, nor one of 96 or 192 columns: with it every tap's rows are fetched
again, and a product's left side is read twice. Rows are read before the snake and bent on their
way, so a unit reads one tensor from the card's memory and writes one. NVRTC compiles the source;
both are found through NVIDIA's own bindings, which torch brings along. Without them, and on other
cards, units are computed by their convolutions.
"""

from __future__ import annotations

import ctypes
import hashlib
import logging
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import torch

from narrate.engine.codec.layers import Block, Grade, Snake, Unit
from narrate.errors import BackendError

__all__ = ["THREADS", "compiled", "shared_bytes", "unit", "unites"]

_log = logging.getLogger(__name__)

THREADS = {96: 512, 192: 384}
"""Threads of a program, by the channels that there is a kernel for."""

_HALF = Grade(torch.float16)
_HOPPER = (9, 0)
_SOURCES = ("hopper_card.cu", "hopper_rows.cu", "hopper_unit.cu")
_POINTER, _INT = ctypes.c_void_p, ctypes.c_int
_ARGUMENTS = (_POINTER,) * 5 + (_INT,) * 4

_TAPS, _LARGEST_DILATION = 7, 9
_TILE, _VECTORS, _OCTET = 128, 8, 8
_HELD_ROWS = _TILE + (_TAPS - 1) * _LARGEST_DILATION
_STAGE_BYTES, _WIDE_STAGES, _POINT_STAGES = 192 * 32 * 2, 5, 2
_BARRIERS_BYTES = 2 * (_WIDE_STAGES + _POINT_STAGES) * 8
_SIZES = {
    "TAPS": _TAPS,
    "TILE": _TILE,
    "HELD": _HELD_ROWS,
    "STAGE": _STAGE_BYTES,
    "WIDE_STAGES": _WIDE_STAGES,
    "POINT_STAGES": _POINT_STAGES,
    **{f"THREADS_{channels}": threads for channels, threads in THREADS.items()},
}
_OPTIONS = (
    b"--gpu-architecture=sm_90a",
    b"--std=c++17",
    *(f"--define-macro={name}={size}".encode() for name, size in _SIZES.items()),
)


def shared_bytes(channels: int) -> int:
    """Shared memory that a program takes: weights, two tiles of rows, vectors, barriers."""
    streamed = (_WIDE_STAGES + _POINT_STAGES) * _STAGE_BYTES
    weights = (_TAPS + 1) * channels**2 * 2 if channels == 96 else streamed
    return weights + 2 * _HELD_ROWS * channels * 2 + _VECTORS * channels * 4 + _BARRIERS_BYTES


def unites(block: Block) -> bool:
    """Whether `unit` computes the units of this level, here."""
    return all(map(_fits, block.units)) and _kernels(block.up.weight.device) is not None


def _fits(unit: Unit) -> bool:
    channels = unit.wide.weight.shape[2]
    grades = {unit.wide.reads, unit.wide.out, unit.point.reads, unit.point.out}
    return (
        channels in THREADS
        and unit.wide.weight.shape == (_TAPS, channels, channels)
        and unit.point.weight.shape == (1, channels, channels)
        and unit.wide.dilation <= _LARGEST_DILATION
        and grades == {_HALF}
        and unit.point.keeps == _HALF.dtype
    )


def unit(x: torch.Tensor, unit: Unit, live: torch.Tensor, after: Snake | None) -> torch.Tensor:
    """See `wave.plain_unit`; x is contiguous and fp16, and `unites` was asked."""
    channels = x.shape[1]
    device = x.device
    kernels, given = _kernels(device), _packed(unit, after)
    if kernels is None:
        raise BackendError("units have no kernel on this card")
    from cuda.bindings import driver

    out = torch.empty_like(x)
    pointers = (one.data_ptr() for one in (x, given.weights, given.vectors, live, out))
    sizes = (len(x), len(x) // len(live), unit.wide.dilation, int(after is not None))
    programs = torch.cuda.get_device_properties(device).multi_processor_count
    _checked(
        driver.cuLaunchKernel(
            kernels[channels], programs, 1, 1, THREADS[channels], 1, 1, shared_bytes(channels),
            torch.cuda.current_stream(device).cuda_stream, ((*pointers, *sizes), _ARGUMENTS), 0,
        )
    )  # fmt: skip
    return out


@dataclass(frozen=True, eq=False)
class _Packed:
    """A unit as its kernel reads it: weights fp16, vectors fp32 [8, channels], `after` for them."""

    weights: torch.Tensor
    vectors: torch.Tensor
    after: Snake | None


_of_unit: WeakKeyDictionary[Unit, _Packed] = WeakKeyDictionary()


def _packed(unit: Unit, after: Snake | None) -> _Packed:
    found = _of_unit.get(unit)
    if found is None or found.after is not after:
        following = unit.before if after is None else after
        vectors = (
            unit.wide.bias, unit.between.rate, unit.between.gain, unit.point.bias,
            following.rate, following.gain, unit.before.rate, unit.before.gain,
        )  # fmt: skip
        found = _of_unit[unit] = _Packed(_weights_of(unit), torch.stack(vectors), after)
    return found


def _weights_of(unit: Unit) -> torch.Tensor:
    """All weights in the order in which shared memory holds them, [octet of in][out][8] a piece.

    The point comes after the seven taps, with 192 channels half of its columns after the other.
    What stands between the convolutions is in the order of the long one's columns, and that is how
    a thread's four times two sums are an octet of channels: column 8 j + 2 q + e is channel
    (j // 4 * 4 + q) * 8 + j % 4 * 2 + e.
    """
    wide, point = unit.wide.weight, unit.point.weight[0]
    column = torch.arange(len(point), device=point.device)
    j, q, e = column // 8, column % 8 // 2, column % 2
    channel = (j // 4 * 4 + q) * 8 + j % 4 * 2 + e
    parts = point[channel][:, channel].split(96)
    pieces = (wide[:, channel], *parts)
    octets = (one.unflatten(-1, (-1, _OCTET)).transpose(-3, -2) for one in pieces)
    return torch.cat([one.reshape(-1) for one in octets])


@cache
def _kernels(device: torch.device) -> dict[int, Any] | None:
    """The kernels by channels, loaded on a card; None on another one, or where they are not had."""
    if device.type != "cuda" or torch.cuda.get_device_capability(device) != _HOPPER:
        return None
    try:
        from cuda.bindings import driver

        binary = compiled()
        with torch.cuda.device(device):
            torch.cuda.current_stream().synchronize()  # the card's context exists
            module = _checked(driver.cuModuleLoadData(binary))
            kernels = {}
            for channels in THREADS:
                name = f"unit_{channels}".encode()
                kernels[channels] = _checked(driver.cuModuleGetFunction(module, name))
                most = driver.CUfunction_attribute.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
                _checked(driver.cuFuncSetAttribute(kernels[channels], most, shared_bytes(channels)))
        return kernels
    except (ImportError, OSError, RuntimeError) as error:
        _log.warning(
            "the speech decoder goes without its fastest kernels, a book takes some 5 %% longer: "
            "%s (they want cuda-bindings and nvidia-cuda-nvrtc, which torch for a card installs)",
            error,
        )
        return None


def compiled() -> bytes:
    """The kernels' binary, from Triton's cache if it is there.

    Raises ImportError, OSError or RuntimeError where NVRTC is missing or cannot.
    """
    from cuda.bindings import nvrtc
    from triton.runtime.cache import get_cache_manager

    source = _source()
    version = _checked(nvrtc.nvrtcVersion())
    key = hashlib.sha256(repr((version, _OPTIONS, source)).encode()).hexdigest()
    kept = get_cache_manager(key)
    found = kept.get_file("hopper_unit.cubin")
    if found is not None:
        return Path(found).read_bytes()
    program = _checked(nvrtc.nvrtcCreateProgram(source.encode(), b"hopper_unit.cu", 0, [], []))
    try:
        (status,) = nvrtc.nvrtcCompileProgram(program, len(_OPTIONS), list(_OPTIONS))
        if int(status):
            log = bytearray(_checked(nvrtc.nvrtcGetProgramLogSize(program)))
            _checked(nvrtc.nvrtcGetProgramLog(program, log))
            raise RuntimeError(f"hopper_unit.cu: {log.decode(errors='replace')}")
        binary = bytearray(_checked(nvrtc.nvrtcGetCUBINSize(program)))
        _checked(nvrtc.nvrtcGetCUBIN(program, binary))
    finally:
        nvrtc.nvrtcDestroyProgram(program)
    kept.put(bytes(binary), "hopper_unit.cubin")
    return bytes(binary)


def _source() -> str:
    products = _product(96) + _product(192) + _product(96, held=True)
    here = Path(__file__)
    card, *units = (here.with_name(name).read_text("utf-8") for name in _SOURCES)
    return "\n".join((card, products, *units))


def _product(columns: int, held: bool = False) -> str:
    """A function that adds a product of 64 rows, 16 summed; its left side in registers if held."""
    sums = columns // 2  # of a thread
    to = ", ".join(f"%{i}" for i in range(sums))
    kept = ", ".join(f'"+f"(d[{i}])' for i in range(sums))
    if held:
        left, kind = "const u32* a", "1, 1, 0"
        operand = "{" + ", ".join(f"%{sums + i}" for i in range(4)) + f"}}, %{sums + 4}"
        given = ", ".join(f'"r"(a[{i}])' for i in range(4))
    else:
        left, kind = "u64 a", "1, 1, 0, 0"
        operand, given = f"%{sums}, %{sums + 1}", '"l"(a)'
    return (
        f"__device__ __forceinline__ void product(float (&d)[{sums}], {left}, u64 b) {{\n"
        '    asm volatile("{.reg .pred p;\\n\\tsetp.eq.b32 p, 0, 0;\\n\\t"\n'
        f'        "wgmma.mma_async.sync.aligned.m64n{columns}k16.f32.f16.f16 "\n'
        f'        "{{{to}}}, {operand}, p, {kind};}}"\n'
        f'        : {kept} : {given}, "l"(b));\n'
        "}\n"
    )


def _checked(result: tuple[Any, ...]) -> Any:
    """What a call of NVIDIA's bindings returns besides its status; RuntimeError if it failed."""
    status, *values = result
    if int(status):
        raise RuntimeError(f"{type(status).__name__} {status.name}")
    return values[0] if len(values) == 1 else tuple(values)
