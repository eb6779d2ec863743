"""A change, judged by its results."""
