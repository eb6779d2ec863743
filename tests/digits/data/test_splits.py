"""A split is mapped, not read; written in blocks, it holds what numpy would write."""

import hashlib
import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from digits.base.errors import UserError
from digits.data import splits
from digits.data.splits import Split


@pytest.fixture
def split(monkeypatch: pytest.MonkeyPatch) -> Split:
    monkeypatch.setattr(splits, "BLOCK", 7)
    rng = np.random.default_rng(0)
    images, labels = rng.integers(256, size=(40, 5, 6)), rng.integers(10, size=40)
    return Split(images.astype(np.uint8), labels.astype(np.uint8))


def members(file: Path | io.BytesIO) -> dict[str, bytes]:
    with zipfile.ZipFile(file) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def numpys(split: Split) -> dict[str, bytes]:
    buffer = io.BytesIO()
    np.savez(buffer, images=split.images, labels=split.labels)
    return members(buffer)


def test_the_arrays_are_written_as_by_numpy(split: Split, tmp_path: Path) -> None:
    splits.save(split, tmp_path / "a.npz")
    assert members(tmp_path / "a.npz") == numpys(split)


def test_the_bytes_are_those_of_every_python(split: Split, tmp_path: Path) -> None:
    splits.save(split, tmp_path / "a.npz")
    with zipfile.ZipFile(tmp_path / "a.npz") as archive:
        # 45 has sizes of 8 bytes, which Pythons before 3.11.4 write otherwise; numpy asks for it.
        assert {info.extract_version for info in archive.infolist()} == {20}
    expected = "93358a8806bf00cf"
    assert hashlib.sha256((tmp_path / "a.npz").read_bytes()).hexdigest()[:16] == expected


def test_arrays_beyond_2_gib_are_read_again(
    split: Split, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 500)
    splits.save(split, tmp_path / "a.npz")
    assert np.array_equal(splits.load(tmp_path / "a.npz").images, split.images)
    with zipfile.ZipFile(tmp_path / "a.npz") as archive:
        assert archive.getinfo("images.npy").extract_version == 45


def test_chosen_rows_are_written_as_if_copied(split: Split, tmp_path: Path) -> None:
    rows = np.array([3, 39, 0, *range(5, 30)])
    splits.save(split, tmp_path / "a.npz", rows)
    chosen = Split(split.images[rows], split.labels[rows])
    assert members(tmp_path / "a.npz") == numpys(chosen)


@pytest.mark.parametrize("write", [np.savez, np.savez_compressed])
def test_what_is_loaded_is_what_was_written(write, split: Split, tmp_path: Path) -> None:
    write(tmp_path / "a.npz", images=split.images, labels=split.labels)
    loaded = splits.load(tmp_path / "a.npz")
    assert np.array_equal(loaded.images, split.images)
    assert np.array_equal(loaded.labels, split.labels)


def test_it_is_mapped_and_read_only(split: Split, tmp_path: Path) -> None:
    splits.save(split, tmp_path / "a.npz")
    loaded = splits.load(tmp_path / "a.npz")
    assert isinstance(loaded.images.base, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        loaded.images[0] = 0


def test_an_empty_split(tmp_path: Path) -> None:
    splits.save(Split(np.zeros((0, 2, 2), np.uint8), np.zeros(0, np.uint8)), tmp_path / "a.npz")
    assert splits.load(tmp_path / "a.npz").images.shape == (0, 2, 2)


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    array = np.array([{}], object)
    np.savez(tmp_path / "a.npz", images=array, labels=array)
    with pytest.raises(UserError, match="allow_pickle=False"):
        splits.load(tmp_path / "a.npz")


@pytest.mark.parametrize("load", [splits.load, splits.load_collected])
@pytest.mark.parametrize("content", [b"", b"no zip", None], ids=["empty", "text", "cut"])
def test_a_damaged_file_is_named(
    split: Split, tmp_path: Path, load: Callable[[Path], object], content: bytes | None
) -> None:
    path = tmp_path / "test.npz"
    splits.save(split, path)
    path.write_bytes(path.read_bytes()[:-30] if content is None else content)
    with pytest.raises(UserError, match=r"test\.npz: damaged, or not what `preprocess` writes: "):
        load(path)
