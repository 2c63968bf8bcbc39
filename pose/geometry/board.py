"""The calibration board: a ChArUco pattern of known size, and the PDF that prints it at true scale.

The PDF is written by hand: black rectangles and three lines of text need no library, and vectors print sharper than
any picture.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from kinesphere.errors import needs_extra

if TYPE_CHECKING:
    from cv2.aruco import CharucoBoard

COLUMNS, ROWS = 7, 9
SQUARE_MM, MARKER_MM = 25.0, 18.0
"""175 x 225 mm: the largest board of whole centimetre halves that leaves printers their margins on A4 and Letter."""
MARKER_CELLS = 6
"""Cells along the side of a 4x4 marker with its black border; 3 mm each."""

Paper = Literal["a4", "letter"]
PAPERS_MM: dict[Paper, tuple[float, float]] = {"a4": (210.0, 297.0), "letter": (215.9, 279.4)}
"""Width and height (ISO 216, ANSI/ASME Y14.1)."""

Rectangle = tuple[float, float, float, float]
"""Left, top, width, height in millimetres."""

_POINTS_PER_MM = 72 / 25.4
_RULER_MM = 150


def charuco_board() -> CharucoBoard:
    """The board as OpenCV knows it; lengths in metres, x right, y down, origin at its top left corner."""
    with needs_extra("pose"):
        import cv2

    dictionary = cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_4X4_50)
    return cv2.aruco.CharucoBoard((COLUMNS, ROWS), SQUARE_MM / 1000, MARKER_MM / 1000, dictionary)


def board_rectangles() -> list[Rectangle]:
    """The black parts of the board, from its top left corner."""
    board = charuco_board()
    marked = {}
    for outline, number in zip(board.getObjPoints(), np.ravel(board.getIds()), strict=True):
        corners = np.asarray(outline)
        left, top = 1000 * corners[:, 0].min(), 1000 * corners[:, 1].min()
        marked[int(left // SQUARE_MM), int(top // SQUARE_MM)] = (float(left), float(top), int(number))
    black: list[Rectangle] = []
    cell = MARKER_MM / MARKER_CELLS
    for row in range(ROWS):
        for column in range(COLUMNS):
            if (column, row) not in marked:
                black.append((column * SQUARE_MM, row * SQUARE_MM, SQUARE_MM, SQUARE_MM))
                continue
            left, top, number = marked[column, row]
            cells = board.getDictionary().generateImageMarker(number, MARKER_CELLS, borderBits=1)
            black += [(left + x * cell, top + y * cell, cell, cell) for y, x in np.argwhere(np.asarray(cells) == 0)]
    return black


def board_pdf(paper: Paper) -> bytes:
    """The board on one page at true scale, its dimensions, and a ruler line with which to check the print.

    Args:
        paper: size of the page.

    Returns:
        The bytes of a PDF file.
    """
    width, height = PAPERS_MM[paper]
    left, top = (width - COLUMNS * SQUARE_MM) / 2, 12.0
    boxes = [(left + x, top + y, w, h) for x, y, w, h in board_rectangles()]
    ruler_left, ruler_top = (width - _RULER_MM) / 2, top + ROWS * SQUARE_MM + 12
    boxes.append((ruler_left, ruler_top, _RULER_MM, 0.3))
    for tick in range(0, _RULER_MM + 1, 10):
        boxes.append((ruler_left + tick - 0.1, ruler_top - (3 if tick % 50 else 5), 0.2, 3 if tick % 50 else 5))
    lines = [
        f"This line is {_RULER_MM} mm long. If a ruler says otherwise, print again at 100 % (actual size), not 'fit'.",
        f"kinesphere calibration board: {COLUMNS} x {ROWS} squares of {SQUARE_MM:g} mm, "
        f"markers of {MARKER_MM:g} mm, OpenCV ChArUco DICT_4X4_50.",
        "Glue it flat onto something stiff. Show it to the whole picture, near and far, tilted to every side, slowly.",
    ]
    texts = [(ruler_left, ruler_top + 6 + 5 * number, line) for number, line in enumerate(lines)]
    return _pdf_page(width, height, boxes, texts)


def _pdf_page(width: float, height: float, boxes: list[Rectangle], texts: list[tuple[float, float, str]]) -> bytes:
    """One page (PDF 1.4, ISO 32000-1): all boxes as one filled path, so that no seam shows between neighbours."""

    def points(millimetres: float) -> str:
        return f"{millimetres * _POINTS_PER_MM:.4f}"

    drawing = [
        f"{points(x)} {points(height - y - h)} {points(w)} {points(h)} re" for x, y, w, h in boxes
    ] + ["f"]  # fmt: skip
    for x, y, line in texts:
        escaped = line.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")
        drawing.append(f"BT /F1 8 Tf {points(x)} {points(height - y)} Td ({escaped}) Tj ET")
    content = "\n".join(drawing)
    # without this preference, many viewers shrink the page to the printer's margins
    objects = [
        "<< /Type /Catalog /Pages 2 0 R /ViewerPreferences << /PrintScaling /None >> >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {points(width)} {points(height)}] "
        "/Resources << /Font << /F1 5 0 R >> >> /Contents 4 0 R >>",
        f"<< /Length {len(content)} >>\nstream\n{content}\nendstream",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    document, offsets = "%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        offsets.append(len(document))
        document += f"{number} 0 obj\n{body}\nendobj\n"
    table = "".join(f"{offset:010d} 00000 n \n" for offset in offsets)
    begin = len(document)
    document += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}"
    document += f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{begin}\n%%EOF\n"
    return document.encode("ascii")


def found_corners(detector: Any, grey: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.int32]] | None:
    """The board's inner corners in a picture: (n, 2) places in pixels and (n,) their numbers; None without any."""
    places, numbers, _, _ = detector.detectBoard(grey)
    if places is None or numbers is None or not len(numbers):
        return None
    return np.asarray(places, np.float32).reshape(-1, 2), np.asarray(numbers, np.int32).ravel()
