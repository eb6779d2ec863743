"""Show review.md to the reviewers: in the job's summary, and as a comment, updated in place.

A pull request from a fork has no right to comment: there the summary must do.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

REVIEW = Path("review.md")
AUTHOR = "github-actions[bot]"  # whom the workflow's own token comments as


def gh(*arguments: str) -> str:
    """What GitHub's command line answers to a request; it takes its token from GH_TOKEN."""
    command = ["gh", "api", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def comment(repository: str, pull_request: str) -> None:
    marker, *_ = REVIEW.read_text().splitlines()
    comments = f"repos/{repository}/issues/{pull_request}/comments"
    pages = json.loads(gh("--paginate", "--slurp", comments))
    ours = [
        str(found["id"])
        for page in pages
        for found in page
        if found["user"]["login"] == AUTHOR and found["body"].startswith(marker)
    ]
    if ours:
        method, path = "PATCH", f"repos/{repository}/issues/comments/{ours[0]}"
    else:
        method, path = "POST", comments
    gh("--method", method, path, "--field", f"body=@{REVIEW}")


def main() -> None:
    with Path(os.environ["GITHUB_STEP_SUMMARY"]).open("a") as summary:
        summary.write(REVIEW.read_text())
    try:
        comment(os.environ["GITHUB_REPOSITORY"], os.environ["PULL_REQUEST"])
    except subprocess.CalledProcessError as error:
        if "HTTP 403" not in error.stderr:
            sys.exit(f"comment: {error.stderr.strip()}")
        print("no right to comment here: the review is in the job's summary")


if __name__ == "__main__":
    main()
