"""Numbers that only the potential can tell of a result, from which the verdict is made."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Evidence(BaseModel):
    """Numbers from which the verdict is made, beside those of the force constants.

    Attributes
    ----------
    symmetry_gained : str, optional
        Space group after the relaxation where it is higher than before.
    operations_gained : int
        Symmetry operations of the primitive cell after the relaxation, less those before.
    step_to_rest_A : float
        Largest displacement of an atom that the forces which are left ask for.
    bulk_modulus_GPa : float, optional
        With atoms held at their places in the cell; None if the potential gives no stress.
    nonlinearity : float, optional
        Relative error of differences by their length; of rows of second derivatives, their
        difference from a small displacement in float64.
    rounding : float, optional
        Relative error of differences, or rows, by the precision of forces.
    larger_supercell_THz : float, optional
        Mean change of frequencies in the next larger supercell, where one was solved.
    kernels : float, optional
        Relative change of a difference, or row, by turning fast kernels off, where that was
        tried.
    training_distance : float, optional
        Of the atom that is farthest from what the potential was trained on (see
        `mlphonon.trust.training`), of those whose element was trained on.
    training_distance_of : str, optional
        Which atom that is.
    untrained_elements : tuple of str
        Elements that the potential was never trained on: infinitely far, which JSON cannot say.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    symmetry_gained: str | None = None
    operations_gained: int = 0
    step_to_rest_A: float
    bulk_modulus_GPa: float | None = None
    nonlinearity: float | None = None
    rounding: float | None = None
    larger_supercell_THz: float | None = None
    kernels: float | None = None
    training_distance: float | None = None
    training_distance_of: str | None = None
    untrained_elements: tuple[str, ...] = ()
