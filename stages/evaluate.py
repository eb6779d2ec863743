"""Measure a model on the test split, which no other stage learns or chooses from."""

from pathlib import Path

from digits.params import Params
from stages import runner

TEST = Path("data/processed/test.npz")


def main(params: Params, model: str) -> None:
    from digits.data import splits
    from digits.evaluation.assessment import assess
    from digits.evaluation.illustration import illustrate
    from digits.inference.model import Model
    from digits.tracking.stages import stage_run

    settings = params.evaluate
    network = Model(Path("models") / model / "model.onnx", settings.threads)
    reports, pictures = Path("reports/evaluate") / model, Path("reports/pictures") / model
    with stage_run(f"evaluate@{model}", settings.flat(), [TEST], [model]):
        test = splits.load(TEST)
        assessment = assess(network, test, settings, splits.load_collected(TEST))
        assessment.write(reports)
        illustrate(assessment, network, test, settings.seed, pictures, reports)
        print(f"{model}: {assessment}")


if __name__ == "__main__":
    runner.run(main, "evaluate", of_model=True)
