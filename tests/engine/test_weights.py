"""A checkpoint is read as it says it is, and what does not fit is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")

from safetensors.torch import load_file, save_file  # noqa: E402

from narrate.engine.cache import SIZES, bytes_per_slot, slots_that_fit  # noqa: E402
from narrate.engine.config import read_config  # noqa: E402
from narrate.engine.languages import language_codes, language_name  # noqa: E402
from narrate.engine.weights import build_model, checkpoint_tensors, shapes_of  # noqa: E402
from narrate.errors import BackendError, UsageError  # noqa: E402
from tests.engine.conftest import CPU, Tiny, cloned, jobs_of, load_tiny, speak_all  # noqa: E402

HEAD = "talker.codec_head.weight"


def copied(source: Path, to: Path, change: Any = None, config: Any = None) -> Path:
    """The checkpoint again, with tensors or configuration changed in place."""
    for path in source.iterdir():
        if path.is_file() and path.name != "model.safetensors":
            (to / path.name).write_bytes(path.read_bytes())
    tensors = load_file(source / "model.safetensors")
    if change:
        change(tensors)
    save_file(tensors, to / "model.safetensors")
    if config:
        held = json.loads((to / "config.json").read_text())
        config(held)
        (to / "config.json").write_text(json.dumps(held))
    return to


def open_all(folder: Path) -> None:
    with checkpoint_tensors(folder, read_config(folder), CPU):
        pass


def test_a_missing_tensor_is_named(tiny_checkpoint: Path, tmp_path: Path) -> None:
    folder = copied(tiny_checkpoint, tmp_path, lambda tensors: tensors.pop(HEAD))
    with pytest.raises(BackendError, match=f"{HEAD} is missing"):
        open_all(folder)


def test_a_tensor_that_nothing_reads_is_named(tiny_checkpoint: Path, tmp_path: Path) -> None:
    extra = {"talker.surprise.weight": torch.zeros(3)}
    folder = copied(tiny_checkpoint, tmp_path, lambda tensors: tensors.update(extra))
    with pytest.raises(BackendError, match=r"talker\.surprise\.weight is unknown"):
        open_all(folder)


def test_a_tensor_of_another_shape_is_named(tiny_checkpoint: Path, tmp_path: Path) -> None:
    extra = {HEAD: torch.zeros(3, 5)}
    folder = copied(tiny_checkpoint, tmp_path, lambda tensors: tensors.update(extra))
    with pytest.raises(BackendError, match=rf"{HEAD} is \[3, 5\] instead of \[3072, 64\]"):
        open_all(folder)


@pytest.mark.parametrize("broken", [b"", b"not tensors at all, for sure"])
def test_a_broken_file_is_a_backend_error(
    tiny_checkpoint: Path, tmp_path: Path, broken: bytes
) -> None:
    copied(tiny_checkpoint, tmp_path)
    (tmp_path / "model.safetensors").write_bytes(broken)
    with pytest.raises(BackendError, match="cannot be read"):
        open_all(tmp_path)
    (tmp_path / "config.json").write_bytes(broken)
    with pytest.raises(BackendError, match="not complete"):
        read_config(tmp_path)


def test_several_files_are_one_checkpoint(tiny_checkpoint: Path, tmp_path: Path) -> None:
    copied(tiny_checkpoint, tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    (tmp_path / "model.safetensors").unlink()
    names = sorted(tensors)
    parts = {"a.safetensors": names[::2], "b.safetensors": names[1::2]}
    for file, held in parts.items():
        save_file({name: tensors[name] for name in held}, tmp_path / file)
    where = {name: file for file, held in parts.items() for name in held}
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": where}))
    open_all(tmp_path)


def test_what_the_engine_does_not_compute_is_refused(tiny_checkpoint: Path, tmp_path: Path) -> None:
    def biased(held: Any) -> None:
        held["talker_config"]["attention_bias"] = True

    folder = copied(tiny_checkpoint, tmp_path, config=biased)
    with pytest.raises(BackendError, match="attention_bias = True"):
        read_config(folder)


def test_other_sizes_are_read_and_not_assumed(tiny_checkpoint: Path, tmp_path: Path) -> None:
    """Another depth, width of MLP, number of KV heads and of groups: it speaks all the same."""

    def other(held: Any) -> None:
        talker = held["talker_config"]
        talker |= {"num_hidden_layers": 1, "intermediate_size": 80, "num_key_value_heads": 1}
        talker["num_code_groups"] = 5
        predictor = talker["code_predictor_config"]
        predictor |= {"num_hidden_layers": 3, "num_code_groups": 5, "hidden_size": 64}

    copied(tiny_checkpoint, tmp_path, config=other)
    config = read_config(tmp_path)
    generator = torch.Generator().manual_seed(0)
    tensors = {
        name: torch.randn(shape, generator=generator) * 0.1
        for name, shape in shapes_of(config).items()
    }
    assert not any("small_to_mtp" in name for name in tensors)
    save_file(tensors, tmp_path / "model.safetensors")
    tiny = load_tiny(tmp_path)
    voice = cloned(config)
    said = speak_all(tiny.runner(2), jobs_of(tiny.writer(voice), ["Hello.", "Yes."], [6, 4]))
    assert {codes.shape[1] for _, codes in said.values()} == {5}


def test_tables_are_products_of_the_weights(tiny: Tiny) -> None:
    """The projected text table ends with the row of nothing, the code table with two."""
    assert not tiny.model.text[-1].any()
    assert not tiny.model.codes[-1].any()
    assert len(tiny.model.codes) == tiny.config.code_rows + 2
    with checkpoint_tensors(tiny.folder, tiny.config, CPU) as take:
        again = build_model(tiny.config, take, CPU, torch.float32, 8)
    torch.testing.assert_close(again.predictor.inputs, tiny.model.predictor.inputs)


def test_the_batch_is_the_largest_that_fits(tiny: Tiny) -> None:
    slot = bytes_per_slot(tiny.config, 256, torch.float32)
    assert slot > tiny.config.talker.kv_numbers_per_position * 256 * 4
    assert slots_that_fit(100 * slot, slot, 512) == 64
    assert slots_that_fit(100 * slot, slot, 8) == 8
    assert slots_that_fit(slot, slot, 512) == 0
    assert list(SIZES) == sorted(SIZES)


def test_languages_go_by_iso_code_or_by_name() -> None:
    known = ("english", "chinese", "beijing_dialect")
    assert language_name("en", known) == "english"
    assert language_name("zh_Hans", known) == "chinese"
    assert language_name("Auto", known) == "auto"
    assert language_name("beijing_dialect", known) == "beijing_dialect"
    assert language_codes(known) == ("en", "zh")
    with pytest.raises(UsageError, match="Choose one of: en, zh"):
        language_name("de", known)
