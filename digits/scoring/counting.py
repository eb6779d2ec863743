"""What a scoring counts, part by part, so that a sum over parts is that of the whole."""

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

BINS = 20  # of equal width, over the confidence from 0 to 1


@dataclass
class Counts:
    """Rows, answers among them, refused ones, errors by text, answers by class and confidence."""

    rows: int = 0
    answers: int = 0
    refused: int = 0
    errors: dict[str, int] = field(default_factory=dict)
    classes: dict[str, int] = field(default_factory=dict)
    confidence: list[int] = field(default_factory=lambda: [0] * BINS)

    def add(self, batch: pa.RecordBatch) -> None:
        """Count the rows of a batch from `Scorer.score`."""
        self.rows += batch.num_rows
        _add(self.errors, batch["error"])
        answers = batch
        if "digits" in batch.schema.names:
            answers = pa.RecordBatch.from_struct_array(batch["digits"].flatten())
        _add(self.classes, answers["class"])
        confidence = answers["confidence"].drop_null().to_numpy(zero_copy_only=False)
        self.answers += len(confidence)
        self.refused += pc.sum(answers["refused"]).as_py() or 0
        bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
        self.confidence = (np.bincount(bins, minlength=BINS) + self.confidence).tolist()

    def merge(self, other: "Counts") -> None:
        """Add those of another part."""
        self.rows += other.rows
        self.answers += other.answers
        self.refused += other.refused
        for mine, others in ((self.errors, other.errors), (self.classes, other.classes)):
            for key, count in others.items():
                mine[key] = mine.get(key, 0) + count
        pairs = zip(self.confidence, other.confidence, strict=True)
        self.confidence = [one + another for one, another in pairs]


def _add(counts: dict[str, int], column: pa.Array) -> None:
    for entry in pc.value_counts(column.drop_null()).to_pylist():
        counts[entry["values"]] = counts.get(entry["values"], 0) + entry["counts"]
