"""The answers' shapes, for the OpenAPI description; the answers themselves are built by hand."""

from typing import Annotated, Any

from pydantic import BaseModel, Field

Probability = Annotated[float, Field(ge=0, le=1.000001)]
Base64 = Annotated[str, Field(json_schema_extra={"contentEncoding": "base64"})]
Box = Annotated[
    list[int], Field(min_length=4, max_length=4, description="left, top, width, height in pixels")
]


AnswerId = Annotated[
    str | None, Field(description="for /feedback; only where the digit is collected")
]


class Candidate(BaseModel):
    class_: str = Field(alias="class")
    probability: Probability


class Digit(BaseModel):
    box: Box | None = Field(description="null where the image came without a picture")
    row: int | None = Field(description="of the picture, from 0 at the top; null as above")
    digit: str = Field(description='the class; "?" if refused')
    confidence: Probability
    top: list[Candidate]
    refused: bool
    id: AnswerId = None


class ModelName(BaseModel):
    name: str
    md5: str


class Prediction(BaseModel):
    """The digits of a picture, as they are read; or of images, in their order."""

    model: ModelName
    digits: list[Digit]


class ModelAnswer(BaseModel):
    digit: str = Field(description='the class; "?" if refused')
    confidence: Probability
    probabilities: list[Probability] = Field(description="in the order of `classes`")
    refused: bool


class DrawnDigit(BaseModel):
    box: Box
    row: int
    crop: Base64 = Field(description="28 x 28 bytes, what the models see")
    answers: dict[str, ModelAnswer] = Field(description="by model, the main one first")
    id: AnswerId = None


class LayerMaps(BaseModel):
    name: str
    pools: bool
    channels: int
    height: int
    width: int
    pixels: Base64 = Field(description="a byte each, channel by channel; 128 is zero")


class Maps(BaseModel):
    digit: int
    layers: list[LayerMaps]


class Reading(BaseModel):
    """The digits of a drawing, with all that its page shows."""

    digits: list[DrawnDigit]
    classes: list[str]
    maps: Maps | None = Field(None, description="if asked for, and there is such a digit")
    milliseconds: float


class Verdict(BaseModel):
    """What a person said of a digit, as it is kept."""

    id: str
    class_: str | None = Field(alias="class", description="none: no digit; null: taken back")


class Collected(BaseModel):
    id: str
    crop: Base64 = Field(description="28 x 28 bytes, what the models saw")
    digit: str
    confidence: Probability
    refused: bool
    answers: dict[str, str] = Field(description="by model")
    verdicts: dict[str, str] = Field(description="of other reviewers")


class ToReview(BaseModel):
    """Digits for a person to judge."""

    classes: list[str]
    digits: list[Collected]


class Predictions(BaseModel):
    """MLflow's answer: the probabilities of the classes for each image."""

    predictions: list[list[Probability]]


class Health(BaseModel):
    live: bool
    ready: bool = Field(description="false while as many pictures wait as may")


class Version(BaseModel):
    """The model that answers at this moment."""

    name: str
    md5: str = Field(description="DVC's of the model's folder, as in dvc.lock and MLflow's tags")
    version: str | None = Field(description="in MLflow's registry")
    run_id: str | None = Field(description="MLflow's run that trained it")
    threshold: float
    metrics: dict[str, float] = Field(description="on the test images")
    others: list[ModelName] = Field(description="what else /read answers with")


class Problem(BaseModel):
    detail: str = Field(description="what is wrong, in one line")


PROBLEMS: dict[int | str, dict[str, Any]] = {
    "4XX": {
        "model": Problem,
        "description": "400: not what it must be; 401: a token is asked for; 403: sent by a page "
        "of another site; 404: there is no such digit; 408: it took too long; 413: too large; "
        "415: a media type that is not taken; 429: too many requests wait already",
    }
}


def body(description: str, **contents: dict[str, Any]) -> dict[str, Any]:
    """Return the OpenAPI entry of a request's body: media type -> schema."""
    content = {name: {"schema": schema} for name, schema in contents.items()}
    return {"requestBody": {"required": True, "description": description, "content": content}}
