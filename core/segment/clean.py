"""Which portraits can be placed by their use: the thin ones, and those with hardly a figure, are set aside."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from core.portrait.frame import Frame
from core.segment.scale import Matrix, picked

GAPS = "gaps"  # what `thin` says of an account with a history of which too little is known
_KNOWN = 0.5  # least share of the features that have to be known
_NEEDED = "kwh_year"


def usable(values: Matrix, names: Sequence[str], thin: Sequence[str | None]) -> NDArray[np.bool_]:
    """Return which rows can be clustered: not thin (new, vacant, gaps), a year's use that is not below zero, and at
    least half of what a single-register meter gives known."""
    year = values[:, list(names).index(_NEEDED)]
    whole = np.array([one is None for one in thin], dtype=bool)
    registers = [name for name in names if name not in ("valley_share", "peak_share")]
    known = (~np.isnan(picked(values, names, registers))).mean(axis=1)
    found: NDArray[np.bool_] = whole & (year >= 0) & (known >= _KNOWN)
    return found


def usable_of(frame: Frame, names: Sequence[str]) -> NDArray[np.bool_]:
    """Return the same for a frame that also holds `thin`."""
    return usable(picked(frame.values, frame.names, names), names, frame.extra["thin"])
