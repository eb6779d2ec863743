"""How often a process looks for garbage."""

from tests.small_project import Command

SAY = "; print(gc.get_threshold()[0], gc.get_freeze_count() > 0)"


def test_a_command_looks_rarely_and_a_server_as_usual(python: Command) -> None:
    start = "import gc; usual = gc.get_threshold()[0]; from digits import garbage"
    rarely = "; garbage.collect_rarely()"
    as_usual = "; garbage.collect_as_usual(); assert gc.get_threshold()[0] == usual"
    assert python("-c", start + rarely + SAY).stdout.split() == ["200000", "False"]
    assert python("-c", start + rarely + as_usual + SAY).stdout.split()[1] == "True"


def test_at_the_end_nothing_is_looked_through(python: Command) -> None:
    """What is registered first runs last."""
    told = "import gc, atexit; atexit.register(lambda: print(gc.get_freeze_count() > 0))"
    done = python("-c", f"{told}; from digits import garbage; garbage.collect_rarely()")
    assert done.stdout.split() == ["True"]
