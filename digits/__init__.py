"""The library the pipeline's stages stand on. It knows nothing of the stages."""

from typing import Any


def __getattr__(name: str) -> Any:
    """Let `from digits import Recognizer` load it, and `import digits` nothing."""
    if name == "Recognizer":
        from digits.recognition.recognizer import Recognizer

        return Recognizer
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
