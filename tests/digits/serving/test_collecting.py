"""A server that collects: what it keeps, what it tells, and what it takes for feedback."""

import io
import logging
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from digits import Recognizer
from digits.collection import drift, features, records
from digits.collection.collector import Settings
from digits.serving.access import Access
from digits.serving.limits import Limits
from tests import small_model
from tests.digits.serving.conftest import Serve

RAW = {"Content-Type": "application/octet-stream"}
PICTURE = small_model.handwriting("120")
IMAGES = small_model.images()[0][:5]


@pytest.fixture
def client(serve: Serve, tmp_path: Path, page: Path) -> httpx.Client:
    return serve(collection=Settings(tmp_path, patience=0.2), page=page)


def read(client: httpx.Client, **params: Any) -> list[dict[str, Any]]:
    height, width = PICTURE.shape
    size = {"width": width, "height": height}
    answer = client.post("/read", params=size | params, content=PICTURE.tobytes(), headers=RAW)
    assert answer.status_code == 200, answer.text
    return answer.json()["digits"]


def predict(client: httpx.Client, content: bytes, **params: Any) -> list[dict[str, Any]]:
    answer = client.post("/predict", content=content, headers=RAW, params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()["digits"]


def kept(folder: Path) -> list[records.Record]:
    with records.opened(folder) as connection:
        return records.select(connection)


def judge(client: httpx.Client, identity: str, name: str | None, **more: str) -> httpx.Response:
    return client.post("/feedback", json={"id": identity, "class": name, **more})


def test_a_server_that_does_not_collect_says_so(serve: Serve, page: Path) -> None:
    client = serve(page=page)
    assert client.get("/collection").json() == {"collects": False}
    assert all("id" not in digit for digit in read(client))
    assert judge(client, "0" * 24, "3").status_code == 404
    assert client.get("/review").status_code == 404


def test_what_is_read_is_kept_and_can_be_corrected(client: httpx.Client, tmp_path: Path) -> None:
    digits = read(client, session="visit-0001")
    assert judge(client, digits[2]["id"], "6").json() == {"id": digits[2]["id"], "class": "6"}
    records_of = {record.id: record for record in kept(tmp_path)}
    assert [records_of[digit["id"]].digit for digit in digits] == ["1", "2", "0"]
    assert {record.session for record in records_of.values()} == {"visit-0001"}
    assert [records_of[digit["id"]].state for digit in digits] == ["open", "open", "corrected"]
    assert records_of[digits[0]["id"]].answers.keys() == {"cnn", "mlp"}
    assert judge(client, digits[2]["id"], None).status_code == 200
    assert {record.state for record in kept(tmp_path)} == {"open"}
    metrics = client.get("/metrics").text
    assert 'digits_collected_total{result="stored"} 3.0' in metrics


def test_images_are_kept_each_request_a_session(client: httpx.Client, tmp_path: Path) -> None:
    first, second = (predict(client, image.tobytes()) for image in IMAGES[:2])
    judge(client, second[0]["id"], "none")
    found = kept(tmp_path)
    assert {record.id for record in found} == {first[0]["id"], second[0]["id"]}
    assert len({record.session for record in found}) == 2


@pytest.mark.parametrize("count", [2, 60])  # a small body, and one that is read apart
def test_images_by_mlflows_protocol_are_kept(
    client: httpx.Client, tmp_path: Path, count: int
) -> None:
    images = small_model.images()[0][:count]
    body = {"inputs": images.tolist()}
    session = {"session": "scored-01"}
    answer = client.post("/invocations", json=body, params=session)
    assert len(answer.json()["predictions"]) == count
    client.post("/invocations", json=body, params=session | {"collect": False})
    (last,) = predict(client, IMAGES[0].tobytes())
    judge(client, last["id"], "none")  # all before it is in the file
    found = [record for record in kept(tmp_path) if record.session == "scored-01"]
    assert sorted(record.image.tobytes() for record in found) == sorted(map(bytes, images))
    assert {tuple(record.answers) for record in found} == {("cnn",)}


def test_the_references_own_images_are_no_drift(serve: Serve, tmp_path: Path) -> None:
    """Of a sure model, too, whose confidences differ beyond the digits that are kept."""
    sure = Recognizer(small_model.write(tmp_path / "cnn", sharpness=3))
    images, _ = small_model.images()
    client = serve(sure, collection=Settings(tmp_path))
    first, *_ = predict(client, images.tobytes())
    assert judge(client, first["id"], "0").status_code == 200  # all before it is in the file
    served = features.of_records(kept(tmp_path), sure.network.classes)
    reference = features.of_answers(images, [sure.classify(images)], sure.threshold)
    assert all(found.psi < 1e-6 for found in drift.compare(reference, served))


def test_who_does_not_want_it_is_not_kept(client: httpx.Client, tmp_path: Path) -> None:
    assert all("id" not in digit for digit in read(client, collect=False))
    assert all("id" not in digit for digit in read(client, unfinished=True))
    assert all("id" not in digit for digit in predict(client, IMAGES.tobytes(), collect=False))
    (kept_digit,) = predict(client, IMAGES[0].tobytes())
    judge(client, kept_digit["id"], "3")
    assert [record.id for record in kept(tmp_path)] == [kept_digit["id"]]


@pytest.mark.parametrize("pictures", [True, False])
def test_whole_pictures_only_if_asked_for(
    serve: Serve, tmp_path: Path, page: Path, pictures: bool
) -> None:
    client = serve(collection=Settings(tmp_path, pictures=pictures), page=page)
    content = io.BytesIO()
    Image.fromarray(PICTURE).save(content, "png")
    headers = {"Content-Type": "image/png"}
    client.post("/predict", content=content.getvalue(), headers=headers)
    judge(client, read(client)[0]["id"], "1")
    with records.opened(tmp_path) as connection:
        found = [row["content"] for row in connection.execute("SELECT content FROM pictures")]
    assert (content.getvalue() in found) is pictures
    assert len(found) == 2 * pictures
    for each in found:
        assert (np.asarray(Image.open(io.BytesIO(each))) == PICTURE).all()


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        (b"{", 400, "not JSON"),
        (b"[]", 400, "must be an object with the keys id and class"),
        (b'{"id": "1", "class": "3"}', 400, "feedback: id = '1': must be text of the form"),
        (b'{"id": "%s"}' % (b"0" * 24), 400, "feedback: class: missing"),
        (b'{"id": "%s", "class": "x"}' % (b"0" * 24), 400, "class 'x': must be null or one of 0,"),
        (b'{"id": "%s", "class": "3"}' % (b"0" * 24), 404, "no such digit"),
        (b" " * 1001, 413, "1,001 bytes: feedback has at most 1,000"),
    ],
)
def test_feedback_is_checked(client: httpx.Client, body: bytes, status: int, reason: str) -> None:
    headers = {"Content-Type": "application/json"}
    answer = client.post("/feedback", content=body, headers=headers)
    assert answer.status_code == status
    assert reason in answer.json()["detail"]
    assert "\n" not in answer.json()["detail"]


def test_feedback_of_another_site_is_refused(client: httpx.Client) -> None:
    body = {"id": "0" * 24, "class": "3"}
    answer = client.post("/feedback", json=body, headers={"Origin": "http://other.example"})
    assert answer.status_code == 403
    assert client.get("/review", headers={"Host": "other.example"}).status_code == 400


def test_a_wrong_session_is_told(client: httpx.Client) -> None:
    answer = client.post("/predict", params={"session": "a b"}, content=b"", headers=RAW)
    assert answer.status_code == 400
    assert answer.json()["detail"].startswith("session: ")


def test_reading_goes_on_while_nothing_can_be_kept(
    client: httpx.Client, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    identity = read(client)[0]["id"]
    assert judge(client, identity, "1").status_code == 200
    other = sqlite3.connect(tmp_path / records.FILE)
    other.execute("BEGIN EXCLUSIVE")
    with caplog.at_level(logging.WARNING, "uvicorn.error"):
        assert len(predict(client, IMAGES.tobytes())) == 5
        answer = judge(client, identity, "1")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert answer.json()["detail"] == "not stored: database is locked"
    assert 'digits_collected_total{result="lost"} 5.0' in client.get("/metrics").text
    other.rollback()
    other.close()
    assert judge(client, identity, "1").status_code == 200


def test_feedback_that_timed_out_does_not_end_collecting(
    serve: Serve, tmp_path: Path, page: Path
) -> None:
    client = serve(collection=Settings(tmp_path), page=page, limits=Limits(seconds=0.5))
    identity = read(client)[0]["id"]
    assert judge(client, identity, "1").status_code == 200
    with closing(sqlite3.connect(tmp_path / records.FILE)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert judge(client, identity, "2").status_code == 408
    assert judge(client, identity, "1").status_code == 200


def test_prometheus_is_told_of_the_drift(client: httpx.Client, tmp_path: Path) -> None:
    assert "digits_drift_psi{" not in client.get("/metrics").text
    (tmp_path / "drift.json").write_text(
        '{"drifted": ["ink"], "features": [{"feature": "ink", "psi": 0.25}]}'
    )
    metrics = client.get("/metrics").text
    assert 'digits_drift_psi{feature="ink"} 0.25' in metrics
    assert "digits_drifted_features 1.0" in metrics
    (tmp_path / "drift.json").write_text("{")
    assert client.get("/metrics").status_code == 200


@pytest.mark.parametrize(
    ("access", "status"),
    [
        (Access(addresses=True, token="abcdefgh"), 401),  # noqa: S106
        (Access(addresses=True), 404),  # --no-token: whoever reaches it would see all
        (Access(frozenset({"digits.example.org"})), 404),  # a proxy's name: others come that way
        (Access(frozenset({"localhost"})), 200),
        (Access(), 200),
    ],
)
@pytest.mark.parametrize("path", ["/review", "/review/digits?reviewer=anna", "/review/review.js"])
def test_others_handwriting_needs_the_token(
    serve: Serve, tmp_path: Path, page: Path, access: Access, status: int, path: str
) -> None:
    client = serve(collection=Settings(tmp_path), page=page, access=access)
    assert client.get(path).status_code == status
    if access.token:
        allowed = {"Authorization": f"Bearer {access.token}"}
        assert client.get(path, headers=allowed).status_code == 200
        assert judge(client, "0" * 24, "3").status_code == 401


@pytest.mark.parametrize("name", ["review.html", "..%2freview.js", "other.js", "review.py"])
def test_the_review_has_no_other_file(client: httpx.Client, name: str) -> None:
    assert client.get(f"/review/{name}").status_code == 404


def test_a_reviewer_has_a_name(client: httpx.Client) -> None:
    assert client.get("/review/digits").status_code == 400
    answer = client.get("/review/digits", params={"reviewer": "a b"})
    assert answer.status_code == 400
    assert answer.json()["detail"].startswith("reviewer: ")
