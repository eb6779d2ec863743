"""Fetch the four IDX files of a data set from the first mirror that has them whole.

A data set of `data.extra` comes into a folder of its name beside these files.
"""

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
    extra = catalogue.find_extra(params.data.extra, data_set)
    with stage_run("download", params.data.flat()):
        with files.replacing(RAW) as folder:
            folder.mkdir()
            download(data_set, folder, params.data)
            for name, entry in extra.items():
                (folder / name).mkdir()
                download(entry, folder / name, params.data)
                files.write_text(folder / name / catalogue.ENTRY, entry.as_json())
        sizes = {f"{name}_bytes": (RAW / name).stat().st_size for name in catalogue.FILES}
        for name, entry in extra.items():
            sizes[f"{name}_bytes"] = sum(
                (RAW / name / file).stat().st_size for file in entry.sha256
            )
        files.write_json(REPORT, sizes)
        print(f"{data_set.title}: {sum(sizes.values()):,} bytes, checksums right")


if __name__ == "__main__":
    runner.run(main, "download")
