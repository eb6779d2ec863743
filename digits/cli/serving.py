"""The server: `digits serve`."""

from typing import Annotated

import typer

from digits.cli.app import ModelOption, ThresholdOption, app, user_path


@app.command("serve")
def serve_model(
    context: typer.Context,
    model: ModelOption = None,
    host: Annotated[str, typer.Option(help="0.0.0.0: all the world.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any that is free.")] = 8000,
    threshold: ThresholdOption = None,
    threads: Annotated[int, typer.Option(min=1, help="Of the model, for one batch.")] = 2,
    max_bytes: Annotated[int, typer.Option(min=1, help="Of a request's body.")] = 16_000_000,
    max_pixels: Annotated[int, typer.Option(min=1, help="Of a picture, unpacked.")] = 25_000_000,
    max_digits: Annotated[int, typer.Option(min=1, help="Of a picture.")] = 200,
    max_seconds: Annotated[float, typer.Option(min=0.001, help="For a request.")] = 10,
    max_waiting: Annotated[int, typer.Option(min=1, help="Requests at work or waiting.")] = 64,
    follow: Annotated[
        float, typer.Option(min=0.1, help="Seconds between two looks at an alias.")
    ] = 5,
) -> None:
    """Serve a model, and a page to draw digits on: http://127.0.0.1:8000.

    POST /predict takes pictures, /invocations what MLflow's own server takes; /docs has
    the rest. What exceeds a limit is answered with a 4xx and the reason.

    An alias, such as models:/mnist@champion, is followed: when `digits promote` moves it, the
    new version answers, and no request is dropped.
    """
    from digits.serving import running
    from digits.serving.guard import Limits

    limits = Limits(max_bytes, max_pixels, max_digits, max_seconds, max_waiting)
    running.run(user_path(context, model), host, port, threshold, threads, limits, follow)
