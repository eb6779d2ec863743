"""Check the data against expectations, and show what it looks like.

The result, the statistics and the pictures are written in any case, to be looked at; a
broken expectation then stops the pipeline.
"""

from pathlib import Path

from digits.base.errors import UserError
from digits.params import Params
from stages import runner

RAW = Path("data/raw")
REPORTS = Path("reports/validate")


def main(params: Params) -> None:
    from digits.data import catalogue

    data_set = catalogue.find(params.data.name)

    # Great Expectations is slow to import: only once the parameters are known to be right.
    from digits.intake import extra, idx, validation
    from digits.tracking.stages import stage_run

    settings = params.validate_
    with stage_run("validate", settings.flat(), [RAW]) as run:
        train, test = idx.read_split(RAW, "train"), idx.read_split(RAW, "test")
        verdict = validation.validate(RAW, train, test, data_set, settings, REPORTS / "pictures")
        for added in extra.read_all(RAW):
            verdict = verdict.joined(validation.check_extra(added, test, settings))
        page = validation.write(verdict, data_set, REPORTS)
        if broken := verdict.broken:
            run.log_outputs()
            raise UserError("\n".join([*broken, f"look at {page}"]))
    print(f"{data_set.title}: all {len(verdict.results)} expectations hold; look at {page}")


if __name__ == "__main__":
    runner.run(main, "validate")
