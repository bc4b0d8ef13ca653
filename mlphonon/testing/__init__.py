"""The conformance test of potentials: what each must do before phonons are computed with it.

Whoever writes a potential (`mlphonon.potentials.potential.Potential`) runs the same checks as
mlphonon's own tests do. All at once:

>>> from ase.calculators.emt import EMT
>>> from mlphonon import load_potential
>>> from mlphonon.testing import check_potential
>>> check_potential(load_potential(EMT()), elements=("Cu", "Au"), unknown="Na")

or one test each, with pytest::

    @pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
    def test_my_potential(check):
        check(Subject(my_potential, elements=("Cu", "Au"), unknown="Na"))

A check that fails raises `AssertionError`, as `numpy.testing` does.
"""

from mlphonon.testing.conformance import CHECKS, check_potential
from mlphonon.testing.subject import Subject, assert_equivalent

__all__ = ["CHECKS", "Subject", "assert_equivalent", "check_potential"]
