"""Check params.yaml and datasets.yaml, whole, before any other stage runs.

DVC removes a stage's outputs before it runs the stage. This stage has none: what it
refuses leaves everything as it was.
"""

from digits import datasets
from digits.params import Params
from stages import runner


def main(params: Params) -> None:
    datasets.find(params.data.name)


if __name__ == "__main__":
    runner.run(main, "params")
