import hashlib
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from narrate.audio.takes import DamagedTakeError, decode_take, encode_take
from narrate.errors import StorageError


@given(hnp.arrays(np.int16, st.integers(1, 3000)))
def test_int16_samples_come_back_exactly(tmp_path_factory, samples):
    path = tmp_path_factory.mktemp("take") / "a.flac"
    path.write_bytes(encode_take(samples, 24_000))
    decoded, rate_hz = decode_take(path)
    assert rate_hz == 24_000
    assert np.array_equal(decoded * 32_768, samples)


def test_floats_are_rounded_to_the_nearest_step_and_clipped(tmp_path):
    path = tmp_path / "a.flac"
    path.write_bytes(encode_take(np.array([0.0, 0.6, -0.6, 1.7, -1.7], np.float32), 24_000))
    decoded, _ = decode_take(path)
    expected = [0, round(0.6 * 32_768), round(-0.6 * 32_768), 32_767, -32_768]
    assert (decoded * 32_768).tolist() == expected


def test_the_same_samples_give_the_same_bytes():
    samples = np.random.default_rng(1).integers(-9000, 9000, 40_000, np.int16)
    assert encode_take(samples, 22_050) == encode_take(samples.copy(), 22_050)


def test_an_empty_take_is_refused():
    with pytest.raises(ValueError, match="shape"):
        encode_take(np.zeros(0, np.int16), 22_050)


@pytest.mark.parametrize("length", [0, 3, 40, 200, 3000, -1])
def test_a_take_cut_anywhere_is_damaged(tmp_path, length):
    samples = np.random.default_rng(1).integers(-9000, 9000, 40_000, np.int16)
    path = tmp_path / "a.flac"
    path.write_bytes(encode_take(samples, 22_050)[:length])
    with pytest.raises(DamagedTakeError) as caught:
        decode_take(path)
    assert caught.value.path == path


def test_a_changed_byte_is_found_by_the_digest(tmp_path):
    content = bytearray(encode_take(np.arange(5000, dtype=np.int16), 22_050))
    digest = hashlib.sha256(content).hexdigest()
    content[-100] ^= 1
    path = tmp_path / "a.flac"
    path.write_bytes(content)
    with pytest.raises(DamagedTakeError, match="changed"):
        decode_take(path, digest)


def test_a_missing_take_is_a_storage_error_that_names_it_and_survives_pickling(tmp_path):
    with pytest.raises(StorageError) as caught:
        decode_take(tmp_path / "gone.flac")
    again = pickle.loads(pickle.dumps(caught.value))
    assert isinstance(again, DamagedTakeError)
    assert again.path == tmp_path / "gone.flac"
