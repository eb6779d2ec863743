"""The collector writes real files; what cannot be written is counted and told once."""

import logging
import shutil
import sqlite3
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from digits.base.errors import UserError
from digits.collection import forgetting, records
from digits.collection.collector import Collector
from tests.digits.collection.conftest import CLASSES, image, label, reading
from tests.small_project import wait_for

Collect = Callable[..., Collector]


def kept(folder: Path) -> list[records.Record]:
    with records.opened(folder / "kept") as connection:
        return records.select(connection)


def test_a_reading_is_kept_as_it_was_answered(collect: Collect, tmp_path: Path) -> None:
    collector = collect()
    ids = collector.collect(reading([0, 1], wrong=True))
    collector.close()
    first, second = sorted(kept(tmp_path), key=lambda record: ids.index(record.id))
    assert (first.image == image(0)).all()
    assert (first.session, first.version, first.md5) == ("session-1", "mnist version 3", "a" * 32)
    assert second.disagree
    assert second.answers["mlp"] == {"digit": label(1), "confidence": 0.8, "md5": "b" * 32}
    assert abs(first.time - time.time()) < 60
    assert first.state == "open"
    with records.opened(tmp_path / "kept") as connection:
        assert records.classes_of(connection) == CLASSES
    assert (tmp_path / "kept").stat().st_mode & 0o777 == 0o700


def test_an_image_of_a_session_is_kept_once_and_keeps_its_id(
    collect: Collect, tmp_path: Path
) -> None:
    collector = collect()
    (first,) = collector.collect(reading([0]))
    assert collector.collect(reading([0, 1]))[0] == first
    assert collector.collect(reading([0], "session-2")) != [first]
    collector.close()
    assert len(kept(tmp_path)) == 3
    assert collect().collect(reading([0])) == [first]  # by another process, too


def test_a_share_of_the_sessions_is_kept_whole(collect: Collect) -> None:
    collector = collect(share=0.3)
    chosen = [
        {bool(collector.collect(reading([n], f"session-{s}"))) for n in range(3)}
        for s in range(300)
    ]
    assert all(len(each) == 1 for each in chosen)
    assert 0.2 < sum(each == {True} for each in chosen) / 300 < 0.4


def test_of_what_comes_too_fast_for_long_the_rest_is_skipped(
    collect: Collect, told: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("digits.collection.allowance.BURST", 5)
    monkeypatch.setattr("digits.collection.allowance.MOST_A_SECOND", 0)
    collector = collect()
    assert [len(collector.collect(reading(list(range(n))))) for n in (3, 4, 2, 1)] == [3, 0, 2, 0]
    assert told["skipped"] == 5
    monkeypatch.setattr("digits.collection.allowance.MOST_A_SECOND", 1e9)
    time.sleep(1e-3)
    assert [len(collector.collect(reading(list(range(n))))) for n in (5, 6)] == [5, 0]


@pytest.mark.parametrize(
    ("given", "state"),
    [
        ({"writer": label(0)}, "confirmed"),
        ({"writer": "none"}, "no digit"),
        ({"writer": label(1)}, "corrected"),
        ({"writer": label(1), "anna": label(1)}, "corrected"),
        ({"writer": label(1), "anna": label(0)}, "disputed"),
        ({"writer": None}, "open"),
    ],
)
def test_verdicts(
    collect: Collect, tmp_path: Path, given: dict[str, str | None], state: str
) -> None:
    collector = collect()
    (identity,) = collector.collect(reading([0]))
    assert collector.judge(identity, "3", "writer").result(30)
    for reviewer, name in given.items():
        assert collector.judge(identity, name, reviewer).result(30)
    (record,) = kept(tmp_path)
    assert record.state == state
    assert record.verdicts == {who: name for who, name in given.items() if name is not None}


def test_there_is_no_verdict_on_what_is_not_there(collect: Collect) -> None:
    assert collect().judge("0" * 24, "3", "writer").result(30) is False


def test_a_session_is_forgotten_without_a_trace(collect: Collect, tmp_path: Path) -> None:
    collector = collect(pictures=True)
    secret = b"the picture of a person" * 20
    (identity, _) = collector.collect(reading([0, 1], "session-1", picture=secret))
    collector.collect(reading([2], "session-2"))
    collector.judge(identity, "3", "writer").result(30)
    collector.close()
    path = tmp_path / "kept" / records.FILE
    assert secret in path.read_bytes()
    with records.opened(tmp_path / "kept") as connection:
        assert forgetting.forget(connection, session="session-1") == 2
    assert [record.session for record in kept(tmp_path)] == ["session-2"]
    assert secret not in path.read_bytes()
    assert image(0).tobytes() not in path.read_bytes()
    with records.opened(tmp_path / "kept") as connection:
        assert forgetting.forget(connection, before=time.time() + 60) == 1


def test_the_oldest_goes_first(tmp_path: Path) -> None:
    with closing(records.connect(tmp_path / "kept" / records.FILE)) as connection:
        for n in range(400):
            row = (f"{n:024x}", "s", n, image(n).tobytes(), "1", 1.0, 0, 0, "{}", "cnn", None)
            records.insert(connection, [(*row, "", None)])
        connection.commit()
        removed = forgetting.trim(connection, 250_000, oldest=50)
        connection.commit()
        left = [record.time for record in records.select(connection)]
    assert removed > 50
    assert left == list(range(removed, 400))
    assert len(left) > 100


def test_a_locked_file_costs_the_digits_but_no_answer(
    collect: Collect, tmp_path: Path, told: Counter[str], caplog: pytest.LogCaptureFixture
) -> None:
    collector = collect(patience=0.1)
    (identity,) = collector.collect(reading([0]))
    assert collector.judge(identity, "1", "writer").result(30)
    other = sqlite3.connect(tmp_path / "kept" / records.FILE)
    other.execute("BEGIN IMMEDIATE")
    with caplog.at_level(logging.WARNING, "uvicorn.error"):
        for n in range(1, 4):
            assert len(collector.collect(reading([n]))) == 1
            with pytest.raises(sqlite3.OperationalError):
                collector.judge(identity, "2", "writer").result(30)
    assert told == {"stored": 1, "lost": 3}
    assert [record.getMessage() for record in caplog.records] == [
        "not collected: database is locked; reading goes on"
    ]
    other.rollback()
    other.close()
    collector.collect(reading([5]))
    assert collector.judge(identity, "2", "writer").result(30)
    assert told["stored"] == 2


def test_collecting_goes_on_after_verdicts_that_nobody_waits_for(
    collect: Collect, tmp_path: Path
) -> None:
    collector = collect()
    (identity,) = collector.collect(reading([0]))
    assert collector.judge(identity, "1", "writer").result(30)
    with closing(sqlite3.connect(tmp_path / "kept" / records.FILE)) as other:
        other.execute("BEGIN IMMEDIATE")
        at_work = collector.judge(identity, "2", "at work")
        while collector._queue.qsize():
            time.sleep(0.01)
        time.sleep(0.2)  # it waits for the file
        waiting = collector.judge(identity, "3", "waiting")
        assert (at_work.cancel(), waiting.cancel()) == (False, True)
    assert collector.judge(identity, "4", "later").result(30)
    assert at_work.result(30)
    (record,) = kept(tmp_path)
    assert record.verdicts == {"writer": "1", "at work": "2", "later": "4"}


def test_collecting_goes_on_after_any_error(
    collect: Collect,
    told: Counter[str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object) -> None:
        raise ValueError("not a reading")

    collector = collect()
    with monkeypatch.context() as patch, caplog.at_level(logging.WARNING, "uvicorn.error"):
        patch.setattr(records, "insert", fail)
        (identity,) = collector.collect(reading([0]))
        with pytest.raises(ValueError, match="not a reading"):
            collector.judge(identity, "1", "writer").result(30)
    assert "not collected: not a reading; reading goes on" in caplog.text
    assert told == {"lost": 1}
    (identity,) = collector.collect(reading([0]))
    assert collector.judge(identity, "1", "writer").result(30)


def test_a_full_disk_costs_the_digits_but_no_answer(
    collect: Collect, told: Counter[str], caplog: pytest.LogCaptureFixture
) -> None:
    collector = collect()
    (pages,) = collector._connection.execute("PRAGMA page_count").fetchone()
    collector._connection.execute(f"PRAGMA max_page_count = {pages + 1}").fetchall()
    with caplog.at_level(logging.WARNING, "uvicorn.error"):
        collector.collect(reading(list(range(200))))
        collector.close()
    assert told == {"lost": 200}
    assert "not collected: database or disk is full; reading goes on" in caplog.text


@pytest.mark.parametrize("is_moved", [False, True])
def test_what_is_forgotten_or_moved_away_takes_no_more_digits(
    collect: Collect, tmp_path: Path, is_moved: bool
) -> None:
    collector = collect()
    (before,) = collector.collect(reading([0]))
    assert collector.judge(before, "1", "writer").result(30)
    (tmp_path / "kept").rename(tmp_path / "away")
    if not is_moved:
        shutil.rmtree(tmp_path / "away")
    (after,) = collector.collect(reading([1]))
    assert collector.judge(after, "1", "writer").result(30)
    assert collector.judge(before, "1", "writer").result(30) is False
    assert [record.id for record in kept(tmp_path)] == [after]
    assert (tmp_path / "kept").stat().st_mode & 0o777 == 0o700
    if is_moved:
        with records.opened(tmp_path / "away") as connection:
            assert [record.id for record in records.select(connection)] == [before]


def test_a_folder_that_cannot_be_made_again_is_told(
    collect: Collect, tmp_path: Path, told: Counter[str], caplog: pytest.LogCaptureFixture
) -> None:
    collector = collect()
    (identity,) = collector.collect(reading([0]))
    assert collector.judge(identity, "1", "writer").result(30)
    (tmp_path / "kept").rename(tmp_path / "away")
    (tmp_path / "kept").write_text("a file")
    for n in range(1, 3):
        collector.collect(reading([n]))
        with pytest.raises(UserError, match="cannot be used to collect"):
            collector.judge(identity, "2", "writer").result(30)
    assert told == {"stored": 1, "lost": 2}
    assert sum("cannot be used to collect" in line for line in caplog.messages) == 1
    (tmp_path / "kept").unlink()
    (tmp_path / "away").rename(tmp_path / "kept")
    assert collector.judge(identity, "2", "writer").result(30)


def test_old_digits_are_removed_without_any_new_one(
    collect: Collect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def keep_old() -> None:
        with closing(records.connect(tmp_path / "kept" / records.FILE)) as connection:
            row = ("0" * 24, "s", 0, image(0).tobytes(), "1", 1.0, 0, 0, "{}", "cnn", None, "")
            records.insert(connection, [(*row, None)])
            connection.commit()

    monkeypatch.setattr("digits.collection.collector.TRIM_SECONDS", 0.2)
    keep_old()
    collect(most_days=1)
    for _ in range(2):  # at its start, and while nothing comes
        wait_for(lambda: kept(tmp_path) == [])
        keep_old()


def test_a_folder_that_cannot_be_used_is_told_at_the_start(
    collect: Collect, tmp_path: Path
) -> None:
    (tmp_path / "kept").write_text("a file")
    with pytest.raises(UserError, match="cannot be used to collect"):
        collect()


def test_the_review_begins_with_what_is_worth_most(collect: Collect, tmp_path: Path) -> None:
    collector = collect()
    agreed = {"answers": {"cnn": [(label(0), 0.99)], "mlp": [(label(0), 0.9)]}}
    (sure,) = collector.collect(reading([0], **agreed))
    (unsure,) = collector.collect(reading([1], answers={"cnn": [(label(1), 0.5)]}))
    (disagreed,) = collector.collect(reading([2], wrong=True))
    (refused,) = collector.collect(reading([3], refused=[True]))
    (corrected,) = collector.collect(reading([4]))
    (mine,) = collector.collect(reading([5]))
    collector.judge(corrected, label(5), "writer")
    collector.judge(mine, label(5), "anna").result(30)
    with records.opened(tmp_path / "kept") as connection:
        order = [record.id for record in records.to_review(connection, "anna", 10)]
        assert order == [corrected, refused, disagreed, unsure, sure]
        assert len(records.to_review(connection, "bob", 3)) == 3
        after = [record.id for record in records.to_review(connection, "anna", 10, first=3)]
        assert after == order[3:]
