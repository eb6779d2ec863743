"""The schema of params.yaml: every knob, its type and what it may be.

`python -m digits.params` prints the table of all parameters as Markdown.
"""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from digits.base import yaml12
from digits.base.schema import Positive, Section, check, rows_of

Seed = Annotated[int, Field(ge=0, lt=2**31)]
Threads = Annotated[int, Field(ge=1, le=256)]
Fraction = Annotated[float, Field(ge=0, lt=1)]
Width = Annotated[int, Field(ge=1, le=65_536)]
# A kernel of MNIST's side sees a whole image, and so would a larger one. Whether the layers fit
# the images of the data set, `train` finds out as it builds the network.
Pixels = Annotated[int, Field(ge=1, le=28)]
ConfidenceLevel = Annotated[float, Field(gt=0, lt=1)]


class Data(Section):
    name: str = Field(description="an entry of datasets.yaml")
    extra: list[str] = Field(description="entries whose images are added, such as collected ones")
    timeout: float = Field(gt=0, description="seconds a mirror may be silent")
    file_timeout: float = Field(gt=0, description="seconds for one file from one mirror")
    retries: int = Field(ge=0, le=10, description="further tries after a failed one")

    @model_validator(mode="after")
    def each_data_set_once(self) -> Self:
        if len({self.name, *self.extra}) != 1 + len(self.extra):
            raise ValueError(
                f"extra = {self.extra} must name each data set once, and not {self.name}"
            )
        return self


class Validate(Section):
    min_class_share: Fraction = Field(description="smallest share of a class in a split")
    max_class_share: float = Field(gt=0, le=1, description="largest share of a class in a split")
    ink_threshold: int = Field(ge=1, le=255, description="a pixel counts as ink from here on")
    samples_per_class: int = Field(ge=1, le=50, description="pictures of each class on the page")
    projected_images: int = Field(ge=3, le=20_000, description="points in the PCA picture")
    seed: Seed = Field(description="of the choice of samples and points")

    @model_validator(mode="after")
    def smallest_below_largest(self) -> Self:
        if self.min_class_share > self.max_class_share:
            raise ValueError(
                f"min_class_share = {self.min_class_share} must not be above "
                f"max_class_share, {self.max_class_share}"
            )
        return self


class Preprocess(Section):
    validation_size: Positive = Field(description="images held out of train")
    extra_weight: int = Field(
        ge=1, le=1000, description="how often each training image of data.extra is there"
    )
    seed: Seed = Field(description="of the choice of the images held out")


class Augmentation(Section):
    """Random changes of each image, anew in each epoch; all zeros: none."""

    shift: float = Field(ge=0, le=14, description="largest shift in each direction, pixels")
    rotation: float = Field(ge=0, le=180, description="largest rotation, degrees")
    zoom: Fraction = Field(description="largest relative change of scale, each axis on its own")
    slant: float = Field(ge=0, le=45, description="largest slant of the strokes, degrees")
    elastic: float = Field(ge=0, le=10, description="spread of the elastic displacement, pixels")
    styles: Fraction = Field(description="share of the digits 1, 4, 7, 9 given another style")
    spoiled: Fraction = Field(description="share given a bad ground, stripes, noise, or lines")
    outliers: Fraction = Field(description="share made scribbles and the like, of no class")


class Recipe(Section):
    """What every architecture is trained with, and what is made of it afterwards."""

    members: int = Field(ge=1, le=20, description="networks whose answers are averaged")
    views: Literal[1, 5] = Field(
        description="of an image that they average over: 5 are itself and a pixel to each side"
    )
    batch_normalization: bool = Field(description="normalise after each hidden layer")
    dropout: Fraction = Field(description="share of activations dropped in training")
    batch_size: Positive = Field(le=65_536, description="images a step")
    epochs: Positive = Field(le=100_000, description="passes over the training images")
    optimizer: Literal["sgd", "adam"] = Field(description="SGD has Nesterov momentum 0.9")
    learning_rate: float = Field(gt=0, description="peak of the schedule")
    schedule: Literal["one_cycle", "cosine", "constant"] = Field(
        description="of the learning rate over the steps"
    )
    weight_decay: Fraction = Field(description="share of the weights taken off, times the rate")
    augmentation: Augmentation


class Mlp(Recipe):
    hidden_units: list[Width] = Field(description="width of each hidden layer")


class Cnn(Recipe):
    filters: list[Width] = Field(min_length=1, description="of each convolution")
    kernel_sizes: list[Pixels] = Field(description="of each convolution, pixels")
    strides: list[Pixels] = Field(description="of each convolution, pixels")
    padding: list[Literal["same", "valid"]] = Field(
        description="same: with zeros, so that the size is kept; valid: none"
    )
    pool_sizes: list[Pixels] = Field(description="after each convolution; 1: no pooling")
    pooling: Literal["max", "average"] = Field(description="what is kept of a pool's pixels")
    hidden_units: list[Width] = Field(description="width of each dense hidden layer")

    @model_validator(mode="after")
    def one_value_for_each_convolution(self) -> Self:
        for key in ("kernel_sizes", "strides", "padding", "pool_sizes"):
            if len(values := getattr(self, key)) != len(self.filters):
                raise ValueError(
                    f"{key} = {values} must have one value for each of filters, {len(self.filters)}"
                )
        return self


class Resnet(Cnn):
    """As the CNN: what differs are the shortcuts, which have no parameters."""


class Train(Section):
    seed: Seed = Field(description="of weights, order of images, augmentation, dropout")
    threads: Threads = Field(description="TensorFlow's; another number gives other bits")
    coverage: float = Field(
        gt=0, le=1, description="share of the validation images that a model answers"
    )
    mlp: Mlp
    cnn: Cnn
    resnet: Resnet

    def recipe(self, model: str) -> Recipe:
        """The section of a model."""
        return getattr(self, model)

    def flat_of(self, model: str) -> dict[str, Any]:
        """What a model is trained with, by dotted key: what all models share, and its recipe."""
        shared = {key: value for key, value in self if not isinstance(value, Recipe)}
        return {**shared, **self.recipe(model).flat()}


class Evaluate(Section):
    calibration_bins: int = Field(ge=2, le=1000, description="of equal width, over the confidence")
    confidence_level: ConfidenceLevel = Field(description="of the interval of the accuracy")
    corrupted_images: Positive = Field(description="to corrupt, of the test images; the robustness")
    seed: Seed = Field(description="of the choice of these, and of their corruptions")
    threads: Threads = Field(description="ONNX Runtime's")


class Compare(Section):
    confidence_level: ConfidenceLevel = Field(
        description="of the bootstrap interval; the verdict asks for p below 1 less this"
    )
    resamples: int = Field(ge=100, le=1_000_000, description="of the bootstrap")
    seed: Seed = Field(description="of the bootstrap")


class Promote(Section):
    confidence_level: ConfidenceLevel = Field(
        description="of the intervals of the accuracy and of its loss"
    )
    min_accuracy_low: Fraction = Field(description="lower end of the test accuracy's interval")
    max_accuracy_loss: float = Field(
        gt=0, lt=1, description="upper end of the interval of what is lost against the champion"
    )
    max_ece: float = Field(gt=0, le=1, description="calibration error on the test images")
    min_corrupted_accuracy: Fraction = Field(description="mean over the corruptions")
    min_collected_accuracy: Fraction = Field(
        description="on the collected test images, where data.extra brought some"
    )
    max_onnx_difference: float = Field(gt=0, description="of a probability, ONNX to Keras")


class Verify(Section):
    margin: float = Field(
        gt=0, lt=1, description="of the difference of two accuracies that still is noise"
    )


class Params(Section):
    models: list[Literal["mlp", "cnn", "resnet"]] = Field(
        min_length=1, description="trained, evaluated, compared with the first"
    )
    data: Data
    validate_: Validate = Field(alias="validate")
    preprocess: Preprocess
    train: Train
    evaluate: Evaluate
    compare: Compare
    promote: Promote
    verify: Verify

    @model_validator(mode="after")
    def each_model_once(self) -> Self:
        if len(set(self.models)) != len(self.models):
            raise ValueError(f"models = {self.models} must name each model once")
        return self


def load(path: Path = Path("params.yaml")) -> Params:
    """Read and check a parameter file, whole.

    Raises:
        UserError: one line for each wrong value: its key, what it is, what is allowed.
    """
    return check(Params, yaml12.read(path), str(path))


def table(section: str = "") -> list[tuple[str, str, str]]:
    """Rows of (dotted key, what is allowed, description), of one section or of all."""
    return [row for row in rows_of(Params) if not section or row[0].startswith(f"{section}.")]


if __name__ == "__main__":
    print("# Parameters\n\nMade from the schema, `digits/params.py`, by `make docs`.\n")
    print("| key in params.yaml | allowed | what it is |\n|---|---|---|")
    for row in table():
        print("| `{}` | {} | {} |".format(*row))
