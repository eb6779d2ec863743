"""The ways in which a page of handwriting is rendered: pen, paper, light and camera."""

from dataclasses import dataclass, replace

HEIGHT = 80  # pixels of a digit's box on the page, on average


@dataclass(frozen=True)
class Look:
    """How a page is written and taken; a colour is red, green and blue from 0 to 1.

    Attributes:
        rows: digits of each.
        gap: between digits, share of `HEIGHT`; negative: they touch.
        margin: pixels around the rows.
        pen: width of the strokes in pixels; 0: as the digit was written.
        breaks: gaps in the strokes of each digit, as of a worn pen.
        specks: small dots on the page.
        pressure: share of its darkness that the ink loses where the pen was lightest.
        row_step: from row to row, share of `HEIGHT`; 1: the rows touch here and there.
        tilt: degrees by which the page is turned.
        ruled, squared: printed lines, with their own colour.
        line_width: of a printed line, pixels.
        framed: boxes, as a form has for each digit.
        slope: of the light, share lost from side to side.
        shadow: share of the light that an edge across the page takes away.
        corner: share of the light that is missing in the darkest corner, as a thumb makes.
        glare: share by which a lamp's reflection lightens ink and paper.
        perspective: share of the page by which the corners are moved.
        blur: spread in pixels.
        noise: spread, of white.
        quality: of the JPEG it has been; 0: it never was.
        window: plain colour around the picture, as of the screen that shows it.
    """

    rows: tuple[int, ...] = (4,)
    ink: tuple[float, float, float] = (0.12, 0.12, 0.16)
    paper: tuple[float, float, float] = (0.96, 0.95, 0.92)
    gap: float = 0.35
    margin: int = 60
    pen: int = 0
    breaks: int = 0
    specks: int = 0
    pressure: float = 0.0
    row_step: float = 1.7
    tilt: float = 0.0
    ruled: bool = False
    squared: bool = False
    framed: bool = False
    lines: tuple[float, float, float] = (0.62, 0.72, 0.85)
    line_width: int = 2
    slope: float = 0.0
    shadow: float = 0.0
    corner: float = 0.0
    glare: float = 0.0
    perspective: float = 0.0
    blur: float = 0.7
    noise: float = 0.008
    quality: int = 0
    window: tuple[float, float, float] | None = None


PAPER = Look(slope=0.25, noise=0.015, blur=1.0, quality=85)  # what a camera makes of any page
WAYS: dict[str, Look] = {
    "screen": Look(ink=(0, 0, 0), paper=(1, 1, 1), blur=0, noise=0),
    "dark screen": Look(ink=(1, 1, 1), paper=(0, 0, 0), blur=0, noise=0),
    "board": replace(PAPER, ink=(0.9, 0.9, 0.88), paper=(0.16, 0.24, 0.2)),
    "paper": PAPER,
    "blue pen": replace(PAPER, ink=(0.2, 0.25, 0.65)),
    "red pen": replace(PAPER, ink=(0.8, 0.15, 0.15)),
    "pencil": replace(PAPER, ink=(0.55, 0.55, 0.55), noise=0.025),
    "thin": replace(PAPER, pen=2),
    "thick": replace(PAPER, pen=15),
    "broken": replace(PAPER, breaks=2),
    "specks": replace(PAPER, specks=30),
    "steep light": replace(PAPER, slope=0.65),
    "shadow": replace(PAPER, shadow=0.45),
    "ruled": replace(PAPER, ruled=True),
    "squared": replace(PAPER, squared=True),
    "square": replace(PAPER, rows=(1,), squared=True, margin=10, lines=(0.55, 0.55, 0.55)),
    "dark ruling": replace(PAPER, ruled=True, lines=(0.2, 0.2, 0.25)),
    "form": replace(PAPER, framed=True, lines=(0.3, 0.3, 0.3), gap=0.6),
    "blurred": replace(PAPER, blur=3.0),
    "noisy": replace(PAPER, noise=0.08),
    "perspective": replace(PAPER, perspective=0.12),
    "rows": replace(PAPER, rows=(5, 3, 6), perspective=0.03),
    "touching": replace(PAPER, gap=-0.04),
    "one": replace(PAPER, rows=(1,), shadow=0.3),
    "uneven pressure": replace(PAPER, pressure=0.75),
    "marker": replace(PAPER, pen=18),
    "thick ruling": replace(PAPER, ruled=True, line_width=5),
    "near rows": replace(PAPER, rows=(5, 4, 5), row_step=1.15),
    "tilted rows": replace(PAPER, rows=(5, 3, 6), tilt=8),
    "tight": replace(PAPER, margin=2),
    "dark corner": replace(PAPER, corner=0.9),
    "glare": replace(PAPER, glare=0.6),
    "dark window": replace(PAPER, window=(0.07, 0.07, 0.07)),
    "light window": replace(PAPER, slope=0.4, window=(1, 1, 1)),
    "dim light": replace(PAPER, ink=(0.1, 0.1, 0.12), paper=(0.36, 0.35, 0.32), noise=0.06),
}
