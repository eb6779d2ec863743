"""What is sent to Spark's workers."""

import zipfile
from pathlib import Path

import pytest

from digits.spark import jobs


def test_the_package_is_whole_wherever_the_checkout_lies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "page/project/digits"
    for name in ("spark/jobs.py", "serving/page/index.html", "spark/__pycache__/jobs.pyc"):
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text("")
    monkeypatch.setattr(jobs, "__file__", str(package / "spark/jobs.py"))
    with zipfile.ZipFile(jobs._packed(tmp_path)) as archive:
        assert archive.namelist() == ["digits/spark/jobs.py"]
