"""Periodic table coloured by the errors of a potential."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from mlphonon.report.elements import plot_by_element, tile_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["plot_element_errors", "tile_of"]


def plot_element_errors(
    errors: Mapping[str, float], counts: Mapping[str, int], quantity: str
) -> Figure:
    """Draw a periodic table whose tiles are coloured by the error of each element.

    Parameters
    ----------
    errors : mapping of str to float
        Error of each element that has one, by its symbol; one that is not finite is left out.
    counts : mapping of str to int
        Number of crystals that each of these elements occurs in.
    quantity : str
        What they are errors of, with the unit, for the colour bar.

    Returns
    -------
    matplotlib.figure.Figure
        9 inches wide. Elements without an error are pale.

    Raises
    ------
    ValueError
        If no element has an error, or a name is no element.
    """
    return plot_by_element(errors, counts, quantity, "error")
