"""Takes: a row never speaks of a file that is not there as it was written."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from narrate.core import Chunk, Plan, Span
from narrate.store import Book, NewTake, Store


def new_take(key: str, audio: bytes = b"sound" * 100) -> NewTake:
    return NewTake(key, audio, samples=4410, rate_hz=22050, seed=7, attempt=0, checks={"peak": 0.5})


def test_a_take_comes_back_as_it_was_stored(store: Store) -> None:
    (stored,) = store.takes.add([new_take("ab" * 32)])
    found = store.takes.get(["ab" * 32, "cd" * 32])
    assert found == {"ab" * 32: stored}
    assert stored.audio_path.read_bytes() == b"sound" * 100
    assert stored.duration_s == pytest.approx(0.2)


def test_the_first_of_two_recordings_of_a_take_stays_and_the_late_one_leaves_no_file(
    store: Store,
) -> None:
    (first,) = store.takes.add([new_take("ab" * 32)])
    (late,) = store.takes.add([new_take("ab" * 32, b"other")])
    assert late == first
    assert first.audio_path.read_bytes() == b"sound" * 100
    assert not store.takes.damaged(["ab" * 32], thorough=True)
    assert store.takes.unused().files == ()


def test_no_temporary_file_is_left_behind(store: Store) -> None:
    stored = store.takes.add([new_take(f"{n:064x}") for n in range(20)])
    files = {path for path in store.takes.folder.rglob("*") if path.is_file()}
    assert files == {take.audio_path for take in stored}


@pytest.mark.parametrize("thorough", [False, True])
def test_a_missing_and_a_shortened_take_are_found_by_either_check(
    store: Store, thorough: bool
) -> None:
    gone, short, sound = store.takes.add([new_take(f"{n:064x}") for n in range(3)])
    gone.audio_path.unlink()
    short.audio_path.write_bytes(b"s")
    wrong = store.takes.damaged([gone.take_key, short.take_key, sound.take_key], thorough=thorough)
    assert set(wrong) == {gone.take_key, short.take_key}
    assert "missing" in wrong[gone.take_key]


def test_a_flipped_byte_is_found_even_when_size_and_time_are_as_before(store: Store) -> None:
    (take,) = store.takes.add([new_take("ab" * 32)])
    before = take.audio_path.stat()
    take.audio_path.write_bytes(b"tound" + b"sound" * 99)
    assert store.takes.damaged([take.take_key], thorough=False)
    os.utime(take.audio_path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert store.takes.damaged([take.take_key], thorough=True)


def test_a_take_that_was_copied_to_another_time_is_still_sound(store: Store) -> None:
    (take,) = store.takes.add([new_take("ab" * 32)])
    os.utime(take.audio_path, (1, 1))
    assert not store.takes.damaged([take.take_key], thorough=False)


def test_clean_removes_what_no_book_uses_and_only_that(store: Store) -> None:
    used, unused = store.takes.add([new_take("aa" * 32), new_take("bb" * 32)])
    stray = store.takes.folder / "cc" / "left.flac.part"
    stray.parent.mkdir()
    stray.write_bytes(b"half")
    chunk = Chunk(1, 1, "One.", "One.", Span(0, 4), 0.35)
    plan = Plan("Title", "", "en", ("",), (chunk,), ())
    store.put_plan(Book("b", Path("/b.txt"), "0", Path("/out/b")), plan, [used.take_key], [0])
    found = store.takes.unused()
    assert (found.keys, found.files) == ((unused.take_key,), (stray,))
    assert unused.audio_path.exists() and stray.exists()
    store.takes.remove(found)
    assert used.audio_path.exists()
    assert not unused.audio_path.exists() and not stray.exists()
    assert not store.takes.unused().keys


def test_young_stray_files_are_left_alone_while_a_book_is_spoken(store: Store) -> None:
    stray = store.takes.folder / "cc" / "now.flac.part"
    stray.parent.mkdir(parents=True)
    stray.write_bytes(b"half")
    with store.leases.hold("b"):
        assert store.takes.unused().files == ()
    assert store.takes.unused().files == (stray,)


def test_a_take_that_a_book_has_come_to_use_is_not_removed(store: Store) -> None:
    """Between the look and the removal another process may plan a book."""
    (take,) = store.takes.add([new_take("aa" * 32)])
    stray = store.takes.folder / "aa" / "left.flac.part"
    stray.write_bytes(b"half")
    found = store.takes.unused()
    assert (found.keys, found.files) == ((take.take_key,), (stray,))
    chunk = Chunk(1, 1, "One.", "One.", Span(0, 4), 0.35)
    plan = Plan("Title", "", "en", ("",), (chunk,), ())
    with store.leases.hold("b"):
        store.put_plan(Book("b", Path("/b.txt"), "0", Path("/out/b")), plan, [take.take_key], [0])
        store.takes.remove(found)
    assert stray.exists()
    assert not store.takes.damaged(store.takes.get([take.take_key]), thorough=True)
    assert store.takes.get([take.take_key])


def test_an_earlier_attempt_is_kept_while_a_book_is_spoken(store: Store) -> None:
    """Of several bad takes the best is kept in the end, so none of them goes before."""
    (first,) = store.takes.add([new_take("aa" * 32)])
    with store.leases.hold("b"):
        assert store.takes.unused().keys == ()
    assert store.takes.unused().keys == (first.take_key,)


def test_a_file_that_goes_while_it_is_looked_at_is_no_stray(store: Store) -> None:
    folder = store.takes.folder / "aa"
    folder.mkdir(parents=True)
    (folder / "renamed.flac.part").symlink_to(folder / "gone.flac")
    assert store.takes.unused().files == ()


def test_more_takes_than_one_query_can_name_are_found(store: Store) -> None:
    keys = [f"{n:064x}" for n in range(1200)]
    for start in range(0, 1200, 400):
        store.takes.add([new_take(key, b"x") for key in keys[start : start + 400]])
    assert store.takes.get(keys).keys() == set(keys)
    assert not store.takes.damaged(keys, thorough=True)
    store.takes.drop(keys)
    assert not store.takes.get(keys)
