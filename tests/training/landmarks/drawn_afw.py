"""AFW as it is published, with drawn faces: two files that training learns, two held out."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from training.data.pictures import is_held_out

BOX = (20, 20, 80, 80)  # x, y, w, h px
# Middle of each group of the 68 points: brows and chin, eyes, nose, mouth
EYES, NOSE, MOUTH = ((40, 45), (80, 45)), (60, 65), ((46, 85), (74, 85))


def points_of() -> np.ndarray:
    """(68, 2) points in the order of 300-W whose groups are five dots."""
    points = np.full((68, 2), 60.0)
    points[36:42], points[42:48] = EYES
    points[30] = NOSE
    points[48], points[54] = MOUTH
    return points


def write_afw(folder: Path) -> Path:
    """Writes ``boxes.csv``, ``landmarks68.csv`` and the pictures; returns the folder."""
    folder.mkdir()
    names = [f"face{number}.png" for number in range(40)]
    chosen = [n for n in names if is_held_out(n)][:2] + [n for n in names if not is_held_out(n)][:2]
    rows, marks = ["file,x,y,w,h"], []
    for name in chosen:
        picture = np.full((120, 120), 120, np.uint8)
        for x, y in (*EYES, NOSE, *MOUTH):
            cv2.circle(picture, (x, y), 4, 20, -1)
        cv2.imwrite(str(folder / name), picture)
        rows.append(",".join([name, *map(str, BOX)]))
        marks.append(",".join(f"{value:.1f}" for value in points_of().ravel()))
    (folder / "boxes.csv").write_text("\n".join(rows) + "\n")
    (folder / "landmarks68.csv").write_text("\n".join(marks) + "\n")
    return folder
