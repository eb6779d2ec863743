"""The library the pipeline's stages stand on. It knows nothing of the stages."""

import os
from typing import Any

# Before ONNX Runtime is imported: it notes its use in the home folder, to report it.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

__all__ = ["Answer", "Recognizer", "UserError", "__version__"]


def __getattr__(name: str) -> Any:
    """Let `from digits import Recognizer` load it, and `import digits` nothing."""
    if name == "__version__":
        from importlib.metadata import version

        return version("digits")
    if name in __all__:
        from digits.base.errors import UserError
        from digits.recognition.answers import Answer
        from digits.recognition.recognizer import Recognizer

        return {"Answer": Answer, "Recognizer": Recognizer, "UserError": UserError}[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
