"""Measure a model on the test split, which no other stage learns or chooses from."""

from pathlib import Path

from digits.errors import UserError
from digits.params import Params, flatten
from stages import runner

TEST = Path("data/processed/test.npz")


def main(params: Params, model: str) -> None:
    import numpy as np

    from digits import (
        corruptions,
        datasets,
        feature_maps,
        files,
        inference,
        metrics,
        plots,
        tables,
        tracking,
    )

    models, folder = Path("models") / model, Path("reports/evaluate") / model
    pictures = Path("reports/pictures") / model
    settings = params.evaluate
    network = inference.Model(models / "model.onnx", settings.threads)
    run = tracking.find_model_run(files.md5(models)) or tracking.restore_model_run(
        model, network.recipe, network.data, models, Path("reports/train") / model
    )
    # A run of its own, for how it ended and what it cost; the model's run gets what it found.
    name, inputs = f"evaluate-{model}", {"test": TEST}
    with tracking.stage_run(tracking.PIPELINE, name, flatten(settings), inputs) as own_run:
        split = datasets.load(TEST)
        images, labels, classes = split.images, split.labels, network.classes
        if labels.max() >= len(classes):
            raise UserError(
                f"{TEST}: has a label {labels.max()}, {model} knows {len(classes)} classes"
            )

        probabilities = network.predict(images)
        scores = metrics.scores(
            probabilities,
            labels,
            len(classes),
            settings.calibration_bins,
            settings.confidence_level,
        )
        size = min(settings.corrupted_images, len(labels))
        chosen = np.random.default_rng(settings.seed).choice(len(labels), size, replace=False)
        robustness = corruptions.robustness(
            network.predict, images[chosen], labels[chosen], settings.seed
        )
        scores |= metrics.of_corruptions(robustness)
        if network.recipe["members"] > 1:
            scores |= {
                f"member_{number}_accuracy": round(float((answer.argmax(1) == labels).mean()), 6)
                for number, answer in enumerate(network.answers(images), 1)
            }
        costs = {
            "parameters": network.parameters,
            "multiply_adds": network.multiply_adds,
            "size_bytes": (models / "model.onnx").stat().st_size,
        }
        predictions = tables.predictions(probabilities, labels)
        doubts = metrics.selective(predictions, network.threshold)
        bins = metrics.calibration(predictions, settings.calibration_bins)
        curve = metrics.risk_coverage(predictions)
        files.write_json(folder / "metrics.json", scores | doubts | costs)
        tables.write(predictions, folder / "predictions.csv")
        tables.write(metrics.by_class(predictions, classes), folder / "classes.csv")
        tables.write(bins, folder / "reliability.csv")
        tables.write(curve, folder / "risk_coverage.csv")
        tables.write(robustness, folder / "corruptions.csv")

        present, firsts = np.unique(labels, return_index=True)
        samples, names = images[firsts], [classes[number] for number in present]
        plots.confusion(predictions, classes, model, pictures / "confusion.png")
        plots.reliability(bins, model, pictures / "reliability.png")
        plots.risk_coverage(curve, doubts, model, pictures / "risk_coverage.png")
        plots.errors(images, predictions, classes, model, pictures / "errors.png")
        feature_maps.filters(network.filters(), model, pictures / "filters.png")
        feature_maps.maps(
            samples, names, network.layers(samples), model, folder / "feature_maps.png"
        )

        corrupted = [
            corruptions.corrupt(samples[:5], name, settings.seed)
            for name in corruptions.CORRUPTIONS
        ]
        plots.corruptions(np.stack(corrupted), robustness, model, folder / "corruptions.png")

        own_run.log_metrics(scores | doubts)
        run.log_inputs({"test": TEST})
        tracking.log_evaluation(run, flatten(settings), folder, pictures)
        print(
            f"{model}: {scores['accuracy']:.2%} of {len(labels):,} test images right "
            f"({scores['accuracy_low']:.2%} to {scores['accuracy_high']:.2%}), "
            f"log loss {scores['log_loss']:.4f}, calibration error {scores['ece']:.4f}; "
            f"{scores['corrupted_accuracy']:.1%} of {size:,} corrupted in "
            f"{len(corruptions.CORRUPTIONS)} ways"
        )


if __name__ == "__main__":
    runner.run(main, "evaluate", of_model=True)
