"""The page without a server: `digits export-page`."""

from pathlib import Path
from typing import Annotated

import typer

from digits.cli.app import NamedModelOption, ThresholdOption, app, user_path


@app.command("export-page")
def export_page(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(help="Is made; an older page in it is replaced.")],
    model: NamedModelOption = "models/cnn",
    threshold: ThresholdOption = None,
    runtime: Annotated[
        Path | None,
        typer.Option(help="ONNX Runtime's package, for a machine without npm; see docs/page.md."),
    ] = None,
) -> None:
    """Write the page as static files that read digits without a server, and without a network.

    Any web server serves the folder. Over https, or on this machine, a browser offers to
    install the page. ONNX Runtime for browsers is fetched once, by npm, and checked.
    """
    from digits.recognition.recognizer import Recognizer
    from digits.serving import export

    main = Recognizer(user_path(context, model), threshold)
    others = [
        Recognizer(path.parent)
        for path in sorted(Path("models").glob("*/model.onnx"))
        if path.parent.name != main.network.name
    ]
    package = context.obj / runtime if runtime else None
    version = export.export([main, *others], context.obj / folder, package)
    print(f"{folder}: the page, version {version}")
