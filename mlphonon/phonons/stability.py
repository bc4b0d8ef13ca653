"""Is the crystal dynamically stable: two stated rules."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Stability(BaseModel):
    """Dynamical stability by two stated rules.

    Rule 1: no mode below ``-threshold_THz``. Rule 2: at most ``share_limit`` of all modes of
    the mesh imaginary (the 10 % rule, as in Gurunathan et al., Phys. Rev. Materials 7,
    023803 (2023)). A mode counts as imaginary when it is below ``-threshold_THz``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    lowest_frequency_THz: float
    lowest_q: tuple[float, float, float]
    lowest_label: str | None
    imaginary_share: float
    threshold_THz: float
    share_limit: float
    stable_by_threshold: bool
    stable_by_share: bool

    def describe(self) -> str:
        """Return the verdict in words."""
        if self.stable_by_threshold:
            return f"stable: no mode below -{self.threshold_THz:g} THz"
        where = self.lowest_label or "q = " + ", ".join(f"{x:.3f}" for x in self.lowest_q)
        rule = "still stable by the share rule" if self.stable_by_share else "unstable"
        return (
            f"{rule}: lowest mode {self.lowest_frequency_THz:.2f} THz at {where},"
            f" {100 * self.imaginary_share:.1f} % of modes imaginary"
        )
