"""Every performance figure that the README quotes, each from a command of this package.

`python -m benchmarks.<name>` measures and writes `reports/benchmarks/<name>.json`, with the
versions and the machine, and `<name>.md`, the same as a table. CPU seconds are the process'
own, user and system, all threads: on a machine that others use too they mean more than wall.
"""
