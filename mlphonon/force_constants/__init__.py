"""Crystal and potential -> second-order force constants, by displacements or derivatives."""

from mlphonon.force_constants.force_constants import ForceConstants

__all__ = ["ForceConstants"]
