"""Compare each model with the first, the baseline, on the same test images."""

import json
from pathlib import Path

from digits.params import Params
from stages import runner

EVALUATIONS = Path("reports/evaluate")
REPORTS = Path("reports/compare")


def main(params: Params) -> None:
    from digits.base import files, tables
    from digits.comparison import paired, plot, table
    from digits.data import catalogue
    from digits.tracking.stages import stage_run

    settings = params.compare
    models: list[str] = [*params.models]
    baseline, *challengers = models
    classes = catalogue.find(params.data.name).classes
    with stage_run("compare", settings.flat()):
        predictions = {
            model: tables.read_predictions(EVALUATIONS / model / "predictions.csv")
            for model in models
        }
        scores = {
            model: json.loads((EVALUATIONS / model / "metrics.json").read_text())
            for model in models
        }
        paired.require_same_images(predictions)
        comparisons = {
            model: paired.compare(predictions[baseline], predictions[model], settings)
            for model in challengers
        }
        by_class = paired.count_errors_by_class(predictions, classes)
        metrics = {model: c.metrics(model, baseline) for model, c in comparisons.items()}
        text = table.markdown(scores, comparisons, by_class, settings.confidence_level)
        files.write_json(REPORTS / "metrics.json", metrics)
        files.write_text(REPORTS / "table.md", text)
        plot.draw(scores, comparisons, by_class, REPORTS / "comparison.png")
    for model, comparison in comparisons.items():
        print(f"{model} against {baseline}: {comparison.summary(settings.confidence_level)}")


if __name__ == "__main__":
    runner.run(main, "compare")
