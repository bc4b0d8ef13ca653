"""What only the potential can tell of a result: measured beside the calculation, in small cells."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Evidence(BaseModel):
    """Numbers from which the verdict is made, beside those of the force constants.

    Attributes
    ----------
    symmetry_gained : str, optional
        Space group after the relaxation where it is higher than before.
    step_to_rest : float
        Largest displacement of an atom that the forces which are left ask for, A.
    nonlinearity : float, optional
        Relative error of the differences that force constants were made of, by their length: of
        the first displacement, taken in the primitive cell.
    rounding : float, optional
        Relative error of the same difference (or row) by the precision of forces.
    training_distance : float, optional
        Of the atom that is farthest from what the potential was taught (see
        `mlphonon.trust.training`), of those whose element was taught.
    training_distance_of : str, optional
        Which atom that is.
    never_taught : tuple of str
        Elements that the potential was never taught: infinitely far, which JSON cannot say.
    unmeasured : dict
        What could not be measured, by the name of its check, and why.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    symmetry_gained: str | None = None
    step_to_rest: float
    nonlinearity: float | None = None
    rounding: float | None = None
    training_distance: float | None = None
    training_distance_of: str | None = None
    never_taught: tuple[str, ...] = ()
    unmeasured: dict[str, str] = {}
