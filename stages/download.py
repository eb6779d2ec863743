"""Fetch the four IDX files of a data set from the first mirror that has them whole."""

from pathlib import Path

from digits.params import Params
from stages import runner

RAW = Path("data/raw")
REPORT = Path("reports/download/metrics.json")


def main(params: Params) -> None:
    from digits.base import files
    from digits.data import catalogue
    from digits.intake.download import download
    from digits.tracking.stages import stage_run

    data_set = catalogue.find(params.data.name)
    with stage_run("download", params.data.flat()):
        with files.replacing(RAW) as folder:
            folder.mkdir()
            download(data_set, folder, params.data)
        sizes = {f"{name}_bytes": (RAW / name).stat().st_size for name in catalogue.FILES}
        files.write_json(REPORT, sizes)
        print(f"{data_set.title}: {sum(sizes.values()):,} bytes, checksums right")


if __name__ == "__main__":
    runner.run(main, "download")
