"""The server: `digits serve`."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from digits import garbage
from digits.cli.app import CheckedOption, ModelOption, ThresholdOption, app, user_path

HostOption = Annotated[
    str, typer.Option(help="0.0.0.0: all of the network, which needs the token.")
]
PortOption = Annotated[int, typer.Option(min=0, max=65535, help="0: any that is free.")]
ThreadsOption = Annotated[int, typer.Option(min=1, help="Of the model, for one batch.")]
BytesOption = Annotated[int, typer.Option(min=1, help="Of a request's body.")]
PixelsOption = Annotated[int, typer.Option(min=1, help="Of a picture, unpacked.")]
DigitsOption = Annotated[int, typer.Option(min=1, help="Of a picture.")]
SecondsOption = Annotated[float, typer.Option(min=0.001, max=86_400, help="For a request.")]
WaitingOption = Annotated[int, typer.Option(min=1, help="Pictures at work or waiting.")]
ConnectionsOption = Annotated[int, typer.Option(min=1, help="Open at a time.")]
PerAddressOption = Annotated[
    int, typer.Option(min=1, help="Connections of one address, but for this machine's.")
]
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
CertfileOption = Annotated[Path | None, typer.Option(help="A certificate, PEM, for https.")]
KeyfileOption = Annotated[Path | None, typer.Option(help="Its key, PEM.")]
FollowOption = Annotated[
    float, typer.Option(min=0.1, max=86_400, help="Seconds between looks at an alias.")
]
CollectOption = Annotated[
    Path | None,
    typer.Option(help="Keep each digit read, in this folder: see docs/loop.md.", metavar="FOLDER"),
]
ShareOption = Annotated[float, typer.Option(min=0, max=1, help="Of the sessions, to keep.")]
PicturesOption = Annotated[
    bool, typer.Option("--collect-pictures", help="Keep whole pictures, too.")
]
DaysOption = Annotated[
    float, typer.Option(min=0.001, max=36_500, help="After which a digit is forgotten.")
]
MegabytesOption = Annotated[
    float, typer.Option(min=0.1, max=1e9, help="Of the file; the oldest digits go first.")
]


@app.command("serve")
def serve_model(
    context: typer.Context,
    model: ModelOption = None,
    host: HostOption = "127.0.0.1",
    port: PortOption = 8000,
    threshold: ThresholdOption = None,
    require_checked: CheckedOption = False,
    threads: ThreadsOption = 2,
    max_bytes: BytesOption = 16_000_000,
    max_pixels: PixelsOption = 25_000_000,
    max_digits: DigitsOption = 200,
    max_seconds: SecondsOption = 10,
    max_waiting: WaitingOption = 64,
    max_connections: ConnectionsOption = 2000,
    max_per_address: PerAddressOption = 256,
    allowed_host: AllowedHostOption = None,
    token: TokenOption = None,
    no_token: NoTokenOption = False,
    certfile: CertfileOption = None,
    keyfile: KeyfileOption = None,
    follow: FollowOption = 5,
    collect: CollectOption = None,
    collect_share: ShareOption = 1.0,
    collect_pictures: PicturesOption = False,
    collect_days: DaysOption = 90,
    collect_megabytes: MegabytesOption = 1000,
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

    garbage.collect_as_usual()
    limits = Limits(max_bytes, max_pixels, max_digits, max_seconds, max_waiting)
    limits = replace(limits, connections=max_connections, per_address=max_per_address)
    pem = [context.obj / path if path else None for path in (certfile, keyfile)]
    entrance = running.Entrance(host, port, tuple(allowed_host or ()), token, no_token, *pem)
    most_bytes, collection = round(1e6 * collect_megabytes), None
    if collect:
        folder = context.obj / collect
        collection = Settings(folder, collect_share, collect_pictures, most_bytes, collect_days)
    source = running.Source(user_path(context, model), threshold, threads, require_checked)
    running.run(source, entrance, limits, follow, collection)
