"""Python's garbage collector, told that what a command imports stays to its end."""

import atexit
import gc

USUAL = gc.get_threshold()
RARELY = 200_000  # objects more than were freed, between two collections; Python's 700 to 2,000


def collect_rarely() -> None:
    """Look for garbage rarely, and at the end not at all: for a process of seconds or minutes.

    TensorFlow or MLflow come with half a million objects. To look through them again and again
    while they are made, and once more at the end, took a quarter of a stage's CPU time.
    """
    gc.set_threshold(RARELY)
    atexit.register(gc.freeze)


def collect_as_usual() -> None:
    """Look for garbage as often as Python does, but not among what there is: for a server."""
    gc.set_threshold(*USUAL)
    gc.freeze()
