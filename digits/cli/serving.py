"""The server: `digits serve`."""

from pathlib import Path
from typing import Annotated

import typer

from digits.cli.app import CheckedOption, ModelOption, ThresholdOption, app, user_path

AllowedHostOption = Annotated[
    list[str] | None,
    typer.Option(help="A further name by which the server is asked for; *: any. Repeatable."),
]
TokenOption = Annotated[
    str | None,
    typer.Option(
        envvar="DIGITS_TOKEN",
        help="To be asked for; by default one is made where other machines reach the server.",
    ),
]
NoTokenOption = Annotated[
    bool, typer.Option("--no-token", help="Let whoever reaches the address use it.")
]


@app.command("serve")
def serve_model(
    context: typer.Context,
    model: ModelOption = None,
    host: Annotated[
        str, typer.Option(help="0.0.0.0: all of the network, which needs the token.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any that is free.")] = 8000,
    threshold: ThresholdOption = None,
    require_checked: CheckedOption = False,
    threads: Annotated[int, typer.Option(min=1, help="Of the model, for one batch.")] = 2,
    max_bytes: Annotated[int, typer.Option(min=1, help="Of a request's body.")] = 16_000_000,
    max_pixels: Annotated[int, typer.Option(min=1, help="Of a picture, unpacked.")] = 25_000_000,
    max_digits: Annotated[int, typer.Option(min=1, help="Of a picture.")] = 200,
    max_seconds: Annotated[float, typer.Option(min=0.001, help="For a request.")] = 10,
    max_waiting: Annotated[int, typer.Option(min=1, help="Pictures at work or waiting.")] = 64,
    max_connections: Annotated[int, typer.Option(min=1, help="Open at a time.")] = 2000,
    max_per_address: Annotated[
        int, typer.Option(min=1, help="Connections of one address, but for this machine's.")
    ] = 256,
    allowed_host: AllowedHostOption = None,
    token: TokenOption = None,
    no_token: NoTokenOption = False,
    certfile: Annotated[Path | None, typer.Option(help="A certificate, PEM, for https.")] = None,
    keyfile: Annotated[Path | None, typer.Option(help="Its key, PEM.")] = None,
    follow: Annotated[
        float, typer.Option(min=0.1, help="Seconds between two looks at an alias.")
    ] = 5,
    collect: Annotated[
        Path | None,
        typer.Option(
            help="Keep each digit read, in this folder: see docs/loop.md.", metavar="FOLDER"
        ),
    ] = None,
    collect_share: Annotated[
        float, typer.Option(min=0, max=1, help="Of the sessions, to keep.")
    ] = 1.0,
    collect_pictures: Annotated[
        bool, typer.Option("--collect-pictures", help="Keep whole pictures, too.")
    ] = False,
    collect_days: Annotated[
        float, typer.Option(min=0.001, help="After which a digit is forgotten.")
    ] = 90,
    collect_megabytes: Annotated[
        float, typer.Option(min=0.1, help="Of the file; the oldest digits go first.")
    ] = 1000,
) -> None:
    """Serve a model, and a page to draw digits on: http://127.0.0.1:8000.

    POST /predict takes pictures, /invocations what MLflow's own server takes; /docs has
    the rest. What exceeds a limit is answered with a 4xx and the reason.

    Beyond this machine a token is asked for. It is printed at the start, in the URL and, on a
    terminal, as a QR code for a slate's camera.

    An alias, such as models:/mnist@champion, is followed: when `digits promote` moves it, the
    new version answers, and no request is dropped.
    """
    from digits.collection.collector import Settings
    from digits.serving import running
    from digits.serving.limits import Limits

    limits = Limits(
        max_bytes,
        max_pixels,
        max_digits,
        max_seconds,
        max_waiting,
        connections=max_connections,
        per_address=max_per_address,
    )
    entrance = running.Entrance(
        host,
        port,
        tuple(allowed_host or ()),
        token,
        no_token,
        context.obj / certfile if certfile else None,
        context.obj / keyfile if keyfile else None,
    )
    collection = None
    if collect:
        collection = Settings(
            context.obj / collect,
            collect_share,
            collect_pictures,
            round(1e6 * collect_megabytes),
            collect_days,
        )
    source = running.Source(user_path(context, model), threshold, threads, require_checked)
    running.run(source, entrance, limits, follow, collection)
