"""Validation: the tables, the expectations that they must meet, the pictures, the page."""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self

from digits.base import files
from digits.data.catalogue import DataSet
from digits.data.splits import Split
from digits.intake import expectations, exploration, image_statistics
from digits.intake.extra import Extra
from digits.intake.suites import Result
from digits.params import Validate
from digits.rendering import pages

TEMPLATE = Path(__file__).with_name("page.html")


@dataclass(frozen=True)
class Verdict:
    """What validation found.

    Attributes:
        results: of each expectation.
        metrics: numbers by name.
        are_images_checked: whether the files fitted together, as the checks of images need.
    """

    results: list[Result]
    metrics: dict[str, float]
    are_images_checked: bool

    def joined(self, results: list[Result]) -> Self:
        """This verdict, and what was found of data that is added."""
        broken = sum(not result.success for result in results)
        counts = {"expectations": len(results), "expectations_broken": broken}
        metrics = {key: value + counts.get(key, 0) for key, value in self.metrics.items()}
        return replace(self, results=[*self.results, *results], metrics=metrics)

    @property
    def broken(self) -> list[str]:
        """A line for each expectation that is not met; none where all are."""
        lines = [result.explain() for result in self.results if not result.success]
        if not self.are_images_checked:
            lines.append("images and classes were not checked: the files do not fit together")
        return lines


def validate(
    folder: Path, train: Split, test: Split, data_set: DataSet, settings: Validate, pictures: Path
) -> Verdict:
    """Hold a data set against its expectations, and draw what it looks like.

    Args:
        folder: with the four IDX files that the splits were read from.
        train, test: the splits.
        data_set: what the catalogue says of it.
        settings: of the stage; the data set's own bounds of a class's share come first.
        pictures: a folder to write; empty where the files do not fit together.
    """
    if data_set.class_share:
        low, high = data_set.class_share
        update = {"min_class_share": low, "max_class_share": high}
        settings = settings.model_copy(update=update)
    results = expectations.check_files(
        image_statistics.describe_files(folder, train, test), data_set
    )
    metrics: dict[str, float] = {}
    with files.replacing(pictures) as partial:
        partial.mkdir()
        if files_fit := all(result.success for result in results):
            splits = {"train": train, "test": test}
            images = image_statistics.describe_images(splits, settings.ink_threshold)
            classes = image_statistics.describe_classes(images, data_set.classes)
            results += expectations.check_images(images, data_set, settings)
            results += expectations.check_classes(classes, settings)
            metrics = image_statistics.summarize(images, classes)
            exploration.draw(partial, train, classes, data_set.classes, settings)
    broken = sum(not result.success for result in results)
    metrics |= {"expectations": len(results), "expectations_broken": broken}
    return Verdict(results, metrics, files_fit)


def check_extra(added: Extra, test: Split, settings: Validate) -> list[Result]:
    """Hold a data set that is added against expectations of its own.

    Its classes need not be in balance, as writers decide of them. None of its images may be of
    the main test split, on which a model that learnt from it is measured.

    Args:
        added: the data set.
        test: the main data set's.
        settings: of the stage.
    """
    results = expectations.check_files(
        image_statistics.describe_files(added.folder, added.train, added.test), added.entry
    )
    if all(result.success for result in results):
        parts = {"train": added.train, "test": added.test}
        images = image_statistics.describe_images(parts, settings.ink_threshold)
        known = image_statistics.describe_images({"main": test}, settings.ink_threshold)["hash"]
        images["in_main_test"] = images["hash"].isin(known).astype(int)
        results += expectations.check_images(images, added.entry, settings)
        results += expectations.check_no_test_image(images)
    return [replace(result, frame=f"{added.name}/{result.frame}") for result in results]


def write(verdict: Verdict, data_set: DataSet, reports: Path) -> Path:
    """Write metrics.json, expectations.json and index.html, the page, into a folder.

    Args:
        verdict: what was found.
        data_set: of which it was found.
        reports: the folder, which holds the pictures already.

    Returns:
        The page.
    """
    page = reports / "index.html"
    findings: dict[str, Any] = {"results": [asdict(result) for result in verdict.results]}
    files.write_json(reports / "metrics.json", verdict.metrics)
    files.write_json(reports / "expectations.json", findings)
    embedded = {path.stem: pages.embed(path) for path in (reports / "pictures").iterdir()}
    text = pages.render(
        TEMPLATE,
        title=data_set.title,
        results=verdict.results,
        metrics=verdict.metrics,
        pictures=embedded,
    )
    files.write_text(page, text)
    return page
