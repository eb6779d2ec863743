"""Fetch the four IDX files of a data set from the first mirror that has them whole."""

from pathlib import Path

from digits.params import Params, flatten
from stages import runner

RAW = Path("data/raw")


def main(params: Params) -> None:
    from digits import datasets, tracking
    from digits.download import download
    from digits.files import replacing

    dataset = datasets.find(params.data.name)
    with tracking.stage_run(tracking.PIPELINE, "download", flatten(params.data), {}) as run:
        with replacing(RAW) as folder:
            folder.mkdir()
            sources = download(dataset, folder, params.data)
        run.log_inputs({name: RAW / name for name in datasets.FILES})
        run.log_tags({f"source.{name}": mirror for name, mirror in sources.items()})
        sizes = {f"{name}_bytes": (RAW / name).stat().st_size for name in datasets.FILES}
        run.log_metrics(sizes)
        print(f"{dataset.title}: {sum(sizes.values()):,} bytes, checksums right")


if __name__ == "__main__":
    runner.run(main, "download")
