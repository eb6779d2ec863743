"""Compare each model with the first, the baseline, on the same test images."""

import json
from pathlib import Path

from digits.params import Params, flatten
from stages import runner

REPORTS = Path("reports/compare")


def main(params: Params) -> None:
    from digits import (
        comparison,
        comparison_plot,
        comparison_table,
        datasets,
        files,
        tables,
        tracking,
    )

    settings = params.compare
    models: list[str] = [*params.models]
    evaluations = {model: Path("reports/evaluate") / model for model in models}
    inputs = {model: folder / "predictions.csv" for model, folder in evaluations.items()}
    classes = datasets.find(params.data.name).classes
    predictions = {model: tables.read_predictions(path) for model, path in inputs.items()}
    scores = {
        model: json.loads((folder / "metrics.json").read_text())
        for model, folder in evaluations.items()
    }
    comparison.require_same_images(predictions)
    baseline, *challengers = models
    with tracking.stage_run(tracking.PIPELINE, "compare", flatten(settings), inputs) as run:
        comparisons = {
            model: comparison.compare(
                predictions[baseline],
                predictions[model],
                settings.confidence_level,
                settings.resamples,
                settings.seed,
            )
            for model in challengers
        }
        by_class = comparison.errors_by_class(predictions, classes)
        metrics = {model: c.metrics(model, baseline) for model, c in comparisons.items()}
        files.write_json(REPORTS / "metrics.json", metrics)
        files.write_text(
            REPORTS / "table.md",
            comparison_table.markdown(scores, comparisons, by_class, settings.confidence_level),
        )
        comparison_plot.draw(scores, comparisons, by_class, REPORTS / "comparison.png")
        run.log_metrics(
            {f"{model}_{key}": v for model, values in metrics.items() for key, v in values.items()}
        )
        run.log_files(REPORTS)
    for model, c in comparisons.items():
        print(
            f"{model} against {baseline}: {c.verdict(settings.confidence_level)}; accuracy "
            f"{100 * c.difference:+.2f} points ({100 * c.low:+.2f} to {100 * c.high:+.2f}), "
            f"McNemar's p {c.p_value:.2g}"
        )


if __name__ == "__main__":
    runner.run(main, "compare")
