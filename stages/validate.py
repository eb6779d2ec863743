"""Check the data against expectations, and show what it looks like.

The result, the statistics and the pictures are written in any case, to be looked at; a
broken expectation then stops the pipeline.
"""

from dataclasses import asdict
from pathlib import Path

from digits import datasets
from digits.errors import UserError
from digits.params import Params, flatten
from stages import runner

RAW = Path("data/raw")
REPORTS = Path("reports/validate")
PICTURES = REPORTS / "pictures"
PAGE = REPORTS / "index.html"


def main(params: Params) -> None:
    options = params.validate_
    data_set = datasets.find(params.data.name)

    # Slow to import: only once the parameters are known to be right.
    from digits import expectations, exploration, files, pages, statistics, tracking

    inputs: dict[str, Path] = {name: RAW / name for name in datasets.FILES}
    with tracking.stage_run(tracking.PIPELINE, "validate", flatten(options), inputs) as run:
        train = datasets.read_split(RAW, "train")
        test = datasets.read_split(RAW, "test")
        results = expectations.of_files(statistics.of_files(RAW, train, test), data_set)
        metrics: dict[str, float] = {}
        with files.replacing(PICTURES) as folder:
            folder.mkdir()
            if files_fit := all(result.success for result in results):
                images = statistics.of_images({"train": train, "test": test}, options.ink_threshold)
                classes = statistics.of_classes(images, data_set.classes)
                results += expectations.of_images(images, data_set, options)
                results += expectations.of_classes(classes, options)
                metrics = statistics.summary(images, classes)
                exploration.draw(folder, train, classes, data_set.classes, options)
        broken = [result for result in results if not result.success]
        metrics |= {"expectations": len(results), "expectations_broken": len(broken)}

        findings = {"results": [asdict(result) for result in results]}
        files.write_json(REPORTS / "metrics.json", metrics)
        files.write_json(REPORTS / "expectations.json", findings)
        embedded = {path.stem: pages.embed(path) for path in PICTURES.iterdir()}
        page = pages.render(
            "validate.html",
            title=data_set.title,
            results=results,
            metrics=metrics,
            pictures=embedded,
        )
        files.write_text(PAGE, page)
        run.log_metrics(metrics)
        run.log_files(PAGE, REPORTS / "expectations.json")
        run.log_files(PICTURES, folder="pictures")

        if broken:
            lines = [result.explain() for result in broken]
            if not files_fit:
                lines.append("images and classes were not checked: the files do not fit together")
            raise UserError("\n".join([*lines, f"look at {PAGE}"]))
    print(f"{data_set.title}: all {len(results)} expectations hold; look at {PAGE}")


if __name__ == "__main__":
    runner.run(main, "validate")
