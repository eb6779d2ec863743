"""`python -m digits.cli` is `digits`."""

from digits.cli.main import main

main()
