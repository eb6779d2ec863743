"""Write the model card of each model, from the reports of the stages before."""

from pathlib import Path

from digits.params import Params
from stages import runner

CARD = Path("reports/model_card.md")


def main(params: Params) -> None:
    from digits import card, datasets, files, inference, tracking

    data_set = datasets.find(params.data.name)
    baseline, *_ = params.models
    inputs: dict[str, Path] = {
        model: Path("models") / model / "model.onnx" for model in params.models
    }
    with tracking.stage_run(tracking.PIPELINE, "card", {}, inputs) as own_run:
        cards = [
            card.render(
                model,
                baseline,
                inference.Model(path).recipe,
                data_set,
                params.preprocess,
                params.evaluate.confidence_level,
                params.evaluate.corrupted_images,
                Path("reports"),
            )
            for model, path in inputs.items()
        ]
        files.write_text(CARD, "\n\n".join(cards) + "\n")
        own_run.log_files(CARD)
        for path in inputs.values():
            run = tracking.find_model_run(files.md5(path.parent))
            if run is not None:  # None: DVC had the evaluation in its cache
                run.log_files(CARD)
    print(f"{CARD}: {', '.join(inputs)}")


if __name__ == "__main__":
    runner.run(main, "card")
