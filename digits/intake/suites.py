"""Running a suite of Great Expectations over a table, and what is kept of its results.

The context lives in memory: no configuration on disk, and nothing of a result but what it
found, so that the same data gives the same result.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import great_expectations as gx
import great_expectations.expectations as gxe
import numpy as np
import pandas as pd
from great_expectations.data_context.types.base import ProgressBarsConfig

from digits.base.text import one_line

FIRST_ROWS = 5  # rows that a result names
ERROR_LENGTH = 2000  # characters of an expectation's own exceptions


@dataclass(frozen=True)
class Result:
    """An expectation of the data, what was found, and the verdict."""

    expectation: str  # Great Expectations' name of it
    requirement: str  # the expectation in words
    frame: str
    column: str  # several are separated by commas; empty where it is about the table
    where: str  # the rows that it is about; empty where it is about all
    kwargs: dict[str, Any]
    observed: str | int | float | None
    unexpected: int | None  # number of broken rows; None where it is not about rows
    first_rows: list[str]
    success: bool
    error: str | None  # message of an exception inside the expectation

    def explain(self) -> str:
        """One line: expectation, column, count, first rows, what is required."""
        place = f"{self.expectation} on {self.frame}{f'.{self.column}' if self.column else ''}"
        if self.where:
            place += f" where {self.where}"
        if self.error:
            found = self.error
        elif self.unexpected is None:
            found = f"found {self.observed}"
        else:
            more = ", ..." if self.unexpected > len(self.first_rows) else ""
            rows = "row" if self.unexpected == 1 else "rows"
            found = f"{self.unexpected} {rows}: {', '.join(self.first_rows)}{more}"
        return f"{place}: {found}; {self.requirement}"


def run_suite(
    name: str, frame: Any, key: list[str], expectations: Sequence[gxe.Expectation]
) -> list[Result]:
    """Run a suite over a table, the rows of which the columns `key` name.

    Args:
        name: of the table.
        frame: a pandas DataFrame, or one of Spark's, which gives equal results but for the
            order in which broken rows are named.
        key: columns.
        expectations: the suite.
    """
    for position, expectation in enumerate(expectations):
        expectation.meta = {"position": position}
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    sources = context.data_sources
    add = sources.add_pandas if isinstance(frame, pd.DataFrame) else sources.add_spark
    asset = add("memory").add_dataframe_asset(name)
    batch = asset.add_batch_definition_whole_dataframe("all").get_batch({"dataframe": frame})
    report = batch.validate(
        gx.ExpectationSuite(name, expectations=list(expectations)),
        result_format={
            "result_format": "SUMMARY",
            "unexpected_index_column_names": key,
            "partial_unexpected_count": FIRST_ROWS,
        },
    )
    results = [result.to_json_dict() for result in report.results]
    results.sort(key=lambda result: result["expectation_config"]["meta"]["position"])
    return [_result(name, frame, key, result) for result in results]


def _result(name: str, frame: Any, key: list[str], found: dict[str, Any]) -> Result:
    """Take what is stable and worth reading from a result of Great Expectations."""
    config, result = found["expectation_config"], found["result"]
    kwargs = dict(config["kwargs"])
    del kwargs["batch_id"]
    columns = kwargs.pop("column_list", [])
    columns += [kwargs.pop(k) for k in ("column", "column_A", "column_B") if k in kwargs]
    where = ""
    if condition := kwargs.pop("row_condition", None):
        column, value = condition["column"]["name"], condition["parameter"]
        where = f"{column} is {value}"
        frame = frame[frame[column] == value]
    error = _error(found["exception_info"])
    observed = result.get("observed_value")
    if observed is None and not error:
        values = frame[columns]
        observed = _describe(values if isinstance(frame, pd.DataFrame) else _sample(values))
    return Result(
        expectation=config["type"],
        requirement=config["description"],
        frame=name,
        column=", ".join(columns),
        where=where,
        kwargs={k: _plain(v) for k, v in kwargs.items()},
        observed=_plain(observed),
        unexpected=result.get("unexpected_count"),
        first_rows=[
            " ".join(str(row[column]) for column in key)
            for row in result.get("partial_unexpected_index_list") or []
        ],
        success=found["success"],
        error=error,
    )


def _describe(values: pd.DataFrame) -> str:
    """Describe the values of a column, or of several together."""
    values = values.dropna().drop_duplicates()
    if values.empty:
        return "no value"
    if values.shape[1] == 1 and pd.api.types.is_numeric_dtype(values.iloc[:, 0]):
        low, high = _plain(values.iloc[:, 0].min()), _plain(values.iloc[:, 0].max())
        return f"{low} to {high}" if low < high else str(low)
    if len(values) > FIRST_ROWS:
        return f"{len(values)} different"
    return ", ".join(" / ".join(map(str, row)) for row in values.itertuples(index=False))


def _sample(values: Any) -> pd.DataFrame:
    """Of a Spark DataFrame as many rows as `_describe` tells apart."""
    values = values.dropna()
    if len(values.columns) == 1 and values.dtypes[0][1] not in ("string", "boolean"):
        column = values.columns[0]
        return pd.concat([values.agg({column: end}).toPandas() for end in ("min", "max")], axis=1).T
    return values.distinct().toPandas()


def _plain(value: Any) -> Any:
    """Round a number to six digits at most, so that it is the same from run to run."""
    if isinstance(value, int | float | np.number) and not isinstance(value, bool):
        return int(value) if value == int(value) else float(f"{value:.6g}")
    return value


def _error(info: dict[str, Any]) -> str | None:
    """Collect the messages of the exceptions inside an expectation, one for each metric."""
    parts = [info] if "raised_exception" in info else info.values()
    messages = {part["exception_message"] for part in parts if part["raised_exception"]}
    return one_line(" ".join(sorted(messages)), ERROR_LENGTH) or None
