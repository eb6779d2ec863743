"""Write the model card of each model, from the reports of the stages before."""

from pathlib import Path

from digits.params import Params
from stages import runner

CARD = Path("reports/model_card.md")


def main(params: Params) -> None:
    from digits.base import files
    from digits.data import catalogue
    from digits.evaluation import card
    from digits.inference.model import Model
    from digits.tracking.stages import stage_run

    data_set = catalogue.find(params.data.name)
    with stage_run("card", {}, models=params.models):
        recipes = {
            name: Model(Path("models") / name / "model.onnx").recipe for name in params.models
        }
        cards = [
            card.render(model, recipe, data_set, params, Path("reports"))
            for model, recipe in recipes.items()
        ]
        files.write_text(CARD, "\n\n".join(cards) + "\n")
    print(f"{CARD}: {', '.join(recipes)}")


if __name__ == "__main__":
    runner.run(main, "card")
