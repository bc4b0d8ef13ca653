"""Force constants -> phonons. Phonopy does the algebra; results are small immutable objects."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from mlphonon.io.result import Result
from mlphonon.phonons import files
from mlphonon.phonons.band_path import BandPath, find_band_path
from mlphonon.phonons.band_structure import compute_bands
from mlphonon.phonons.density_of_states import projected_dos, total_dos
from mlphonon.phonons.description import describe
from mlphonon.phonons.older_formats import from_format_2
from mlphonon.phonons.record import Record
from mlphonon.phonons.results import BandStructure, DensityOfStates, ThermalProperties, frozen
from mlphonon.phonons.stability import Stability
from mlphonon.system.late_binding import resolve
from mlphonon.system.threads import one_blas_thread
from mlphonon.temperatures import TemperatureGrid

if TYPE_CHECKING:
    from ase import Atoms
    from matplotlib.figure import Figure
    from phonopy import Phonopy

    from mlphonon.phonons.committee import Committee

DOS_POINTS = 401
"""Frequencies at which the density of states is given."""


class Phonons(Result):
    """The phonons of a crystal.

    Parameters
    ----------
    phonopy : Phonopy
        Cells, force constants and, where given, Born charges; it becomes this object's own.
    record : Record
        Where the result came from.
    others : tuple of Phonons
        The same crystal by other potentials, where there is a committee.
    """

    kind: ClassVar[str] = "phonons"
    words: ClassVar[str] = "phonons"
    format: ClassVar[int] = 3
    figures: ClassVar[Mapping[str, str]] = {
        "bands_dos.png": "mlphonon.report.phonons:plot_phonons",
        "thermal.png": "mlphonon.report.phonons:plot_thermal_properties",
    }

    def __init__(self, phonopy: Phonopy, record: Record, others: tuple[Phonons, ...] = ()) -> None:
        self._phonopy = phonopy
        self._record = record
        self._others = others
        self._mesh: Any = None

    def __repr__(self) -> str:
        return (
            f"Phonons({self._record.name}: {self._record.formula}, {self._record.spacegroup},"
            f" {self._record.n_atoms_supercell}-atom supercell,"
            f" potential {self._record.potential['name']})"
        )

    @property
    def phonopy(self) -> Phonopy:
        """A copy of the phonopy object underneath, for all that phonopy can do.

        What is changed in it (masses, Born charges, force constants) changes no answer here.
        """
        return copy.deepcopy(self._phonopy)

    @property
    def record(self) -> Record:
        """Where the result came from."""
        return self._record

    @cached_property
    def committee(self) -> Committee | None:
        """Results of several potentials, this one first; None where one potential was given."""
        from mlphonon.phonons.committee import Committee

        return Committee((self, *self._others)) if self._others else None

    @cached_property
    def atoms(self) -> Atoms:
        """The (relaxed) primitive cell."""
        from mlphonon.force_constants.cells import to_ase

        return to_ase(self._phonopy.primitive)

    @cached_property
    def band_path(self) -> BandPath:
        """The path through the Brillouin zone, in reciprocal vectors of `atoms`."""
        return find_band_path(self.atoms, self._record.settings.symprec)

    def frequencies(self, q: Any) -> np.ndarray:
        """Frequencies at any q-points.

        Parameters
        ----------
        q : array_like, shape (3,) or (n, 3)
            In reciprocal lattice vectors of the primitive cell.

        Returns
        -------
        ndarray, shape (n_bands,) or (n, n_bands)
            THz, ascending; imaginary frequencies are negative.
        """
        points = np.atleast_2d(np.asarray(q, dtype=float))
        with one_blas_thread():
            result = self._phonopy.run_qpoints(points)
        return np.asarray(result.frequencies).reshape((*np.shape(q)[:-1], -1))

    def group_velocities(self, q: Any) -> np.ndarray:
        """Group velocities at any q-points.

        Parameters
        ----------
        q : array_like, shape (3,) or (n, 3)
            In reciprocal lattice vectors of the primitive cell.

        Returns
        -------
        ndarray, shape (n_bands, 3) or (n, n_bands, 3)
            d(frequency)/d(q) times 2 pi in Cartesian axes, THz A (1 THz A = 100 m/s).
        """
        points = np.atleast_2d(np.asarray(q, dtype=float))
        with one_blas_thread():
            result = self._phonopy.run_qpoints(points, with_group_velocities=True)
        velocities = np.asarray(result.group_velocities)
        return velocities[0] if np.ndim(q) == 1 else velocities

    def bands(self) -> BandStructure:
        """Return the band structure along the path of seekpath for this cell."""
        return self._bands

    @cached_property
    def _bands(self) -> BandStructure:
        return compute_bands(self._phonopy, self.band_path, self._record.settings.band_points)

    def dos(self, projected: bool = False) -> DensityOfStates:
        """Return the density of states by the linear tetrahedron method.

        Parameters
        ----------
        projected : bool
            Resolve it by atom as well; needs eigenvectors on the whole mesh.
        """
        return self._projected_dos if projected else self._total_dos

    @cached_property
    def _total_dos(self) -> DensityOfStates:
        frequencies = self._dos_frequencies
        with one_blas_thread():
            total = total_dos(self._run_mesh(), frequencies)
        points, density = frozen((frequencies, total))
        return DensityOfStates(points, density, tuple(self.atoms.get_chemical_symbols()))

    @cached_property
    def _projected_dos(self) -> DensityOfStates:
        with one_blas_thread():
            self._phonopy.run_mesh(
                self._record.settings.projected_mesh,
                with_eigenvectors=True,
                is_mesh_symmetry=False,
                is_gamma_center=True,
            )
            found = projected_dos(self._phonopy.mesh, self._dos_frequencies)
        points, projected, total = frozen((self._dos_frequencies, found, found.sum(axis=0)))
        return DensityOfStates(
            frequencies=points,
            total=total,
            symbols=tuple(self.atoms.get_chemical_symbols()),
            projected=projected,
        )

    @cached_property
    def _dos_frequencies(self) -> np.ndarray:
        """Frequencies at which the density of states is given, THz."""
        frequencies = self.mesh[1]
        low, high = float(frequencies.min()), float(frequencies.max())
        margin = 0.02 * max(high - low, 0.1)
        return np.linspace(min(low - margin, 0.0), high + margin, DOS_POINTS)

    @cached_property
    def mesh(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """q-points, frequencies (THz) and weights of the irreducible Gamma-centred mesh.

        Shapes (n, 3), (n, n_bands) and (n,); density and thermal properties come from it.
        """
        with one_blas_thread():
            found = self._run_mesh()
        qpoints, frequencies, weights = frozen((found.qpoints, found.frequencies, found.weights))
        return qpoints, frequencies, weights

    def _run_mesh(self) -> Any:
        """Return phonopy's irreducible mesh, made again only if it had to make another."""
        if self._mesh is None or self._phonopy.mesh is not self._mesh:
            self._phonopy.run_mesh(self._record.settings.mesh, is_gamma_center=True)
            self._mesh = self._phonopy.mesh
        return self._mesh

    def thermal(self, temperatures: Any = None) -> ThermalProperties:
        """Thermal properties in the harmonic approximation at constant volume.

        Modes that are imaginary are left out, as are the three acoustic modes at Gamma,
        whose frequency is zero. Of phonons at a temperature (``record.renormalisation``) this is
        the harmonic formula with their frequencies: at that temperature it is the entropy of
        self-consistent phonons, but neither their free energy nor a heat capacity.

        Parameters
        ----------
        temperatures : TemperatureGrid, str, float or sequence of float, optional
            K, ascending (see `TemperatureGrid`); those of the settings by default.

        Raises
        ------
        ValueError
            If they are no such temperatures.
        """
        grid = self._record.settings.temperatures
        if temperatures is not None:
            grid = TemperatureGrid.of(temperatures)
        with one_blas_thread():
            self._run_mesh()
            found = self._phonopy.run_thermal_properties(
                temperatures=grid.values, exclude_gamma_acoustic=True
            )
        t, f, s, c = frozen(
            (found.temperatures, found.free_energy, found.entropy, found.heat_capacity)
        )
        return ThermalProperties(t, f, s, c, float(found.zero_point_energy), len(self.atoms))

    @cached_property
    def stability(self) -> Stability:
        """Whether the crystal is dynamically stable, by the rules of the settings."""
        settings = self._record.settings
        qpoints, frequencies, weights = self.mesh
        imaginary = (frequencies < -settings.imaginary_threshold).sum(axis=1)
        share = float(imaginary @ weights / (weights.sum() * frequencies.shape[1]))
        all_q = np.concatenate([qpoints, *self.bands().segments])
        lowest = np.concatenate(
            [frequencies.min(axis=1), *(f.min(axis=1) for f in self.bands().frequencies)]
        )
        at = int(np.argmin(lowest))
        x, y, z = (float(v) for v in all_q[at])
        return Stability(
            lowest_frequency_THz=float(lowest[at]),
            lowest_q=(x, y, z),
            lowest_label=self.band_path.name_of(all_q[at]),
            imaginary_share=share,
            threshold_THz=settings.imaginary_threshold,
            share_limit=settings.imaginary_share,
            stable_by_threshold=bool(lowest[at] >= -settings.imaginary_threshold),
            stable_by_share=share <= settings.imaginary_share,
        )

    @cached_property
    def max_frequency(self) -> float:
        """Highest frequency on the mesh and along the band path, THz."""
        along = max(float(piece.max()) for piece in self.bands().frequencies)
        return max(float(self.mesh[1].max()), along)

    @cached_property
    def trust(self) -> Any:
        """How far this result can be believed: every check, and the verdict.

        A `mlphonon.trust.verdict.Trust`.
        """
        return resolve("mlphonon.trust.judge:judge")(self)

    def gruneisen(self, potential: Any = None, settings: Any = None, **options: Any) -> Any:
        """Return mode Grueneisen parameters (see `mlphonon.compute_gruneisen`)."""
        compute = resolve("mlphonon.anharmonic.gruneisen.compute:compute_gruneisen")
        return compute(self, potential, settings, **options)

    def summary(self) -> dict[str, Any]:
        """Return what one wants to know at a glance, as plain types; units in the names."""
        return files.summarise(self)

    def describe(self) -> list[str]:
        """Return what is printed, in lines."""
        return describe(self)

    def table(self) -> dict[str, np.ndarray]:
        """Return thermal properties at the temperatures of the settings, per mole of atoms."""
        return self.thermal().table()

    def plot_thermal(self, path: str | Path | None = None) -> Figure:
        """Draw heat capacity, entropy and free energy against temperature.

        Parameters
        ----------
        path : str or Path, optional
            Where to write it; the suffix decides the format, and missing folders are made.
        """
        return self.draw("thermal.png", path)

    @classmethod
    def upgraded(cls, folder: Path, summary: Any) -> Any:
        """Return a summary of format 3, from one of format 2 too."""
        if summary.get("format") == 2:
            return from_format_2(folder, summary, cls.required_files())
        return summary

    @classmethod
    def required_files(cls) -> tuple[str, ...]:
        """Name the file of cells and force constants."""
        return (files.PARAMETERS,)

    def write_files(self, folder: Path) -> tuple[str, ...]:
        """Write cells, force constants and charges, and the members of a committee."""
        return files.write_data(self._phonopy, self.committee, folder)

    def write_extras(self, folder: Path) -> None:
        """Write what phonopy's tools and others read."""
        files.write_for_others(self, folder)

    @classmethod
    def read_files(cls, folder: Path, summary: Mapping[str, Any]) -> Phonons:
        """Read back what `write_files` wrote."""
        return cls(*files.read_data(folder, summary, cls.load))
