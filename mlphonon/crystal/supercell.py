"""Choosing a supercell: the fewest atoms whose perpendicular heights are all long enough."""

from __future__ import annotations

import itertools

import numpy as np
from ase import Atoms

from mlphonon.crystal.crystal import Crystal, point_group
from mlphonon.errors import SettingsError
from mlphonon.settings import PhononSettings

_TIE_BREAKING_STRAIN = 1e-6 * np.array([[0.0, 0.3, 0.7], [0.2, 0.5, 0.1], [0.9, 0.4, 1.3]])


def perpendicular_heights(lattice: np.ndarray) -> np.ndarray:
    """Distances between opposite faces of a cell.

    Parameters
    ----------
    lattice : ndarray, shape (3, 3)
        Cell vectors as rows, A.

    Returns
    -------
    ndarray, shape (3,)
        Heights, A; in a sheared cell they are shorter than the vectors.
    """
    return np.asarray(1.0 / np.linalg.norm(np.linalg.inv(lattice), axis=0))


def choose_supercell(crystal: Crystal, atoms: Atoms, settings: PhononSettings) -> np.ndarray:
    """Return the supercell matrix in phonopy's convention, relative to the primitive `atoms`.

    Parameters
    ----------
    crystal : Crystal
        Knows how the given cell is made of primitive cells; a matrix in the settings is in
        terms of the given cell.
    atoms : Atoms
        The (relaxed) standardised primitive cell.
    settings : PhononSettings
        ``supercell``, ``min_length``, ``max_atoms`` and ``symprec`` are used.

    Returns
    -------
    ndarray of int, shape (3, 3)
        Columns are the supercell's vectors in terms of the primitive ones.

    Raises
    ------
    SettingsError
        If more than ``max_atoms`` would be needed.
    """
    chosen = settings.supercell_matrix()
    if chosen is not None:
        rows = chosen.T @ crystal.given_matrix
        count = round(abs(float(np.linalg.det(rows)))) * len(atoms)
        if count > settings.max_atoms:
            raise SettingsError(
                f"supercell {settings.supercell} holds {count} atoms",
                f"the ceiling is max_atoms = {settings.max_atoms}",
                "give a smaller one or raise max_atoms",
            )
        reduced = _reduce(_hermite_form(rows), atoms.cell.array)
        return _symmetric(reduced, atoms.cell.array).T
    rotations = point_group(atoms, settings.symprec)
    most = settings.max_atoms // len(atoms)
    rows_found = smallest_superlattice(atoms.cell.array, rotations, settings.min_length, most)
    if rows_found is None:
        needed = settings.min_length**3 / atoms.cell.volume * len(atoms)
        raise SettingsError(
            f"no supercell of at most {settings.max_atoms} atoms is {settings.min_length:g} A high",
            f"about {needed:.0f} atoms or more are needed",
            "raise max_atoms or lower min_length",
        )
    return _symmetric(rows_found, atoms.cell.array).T


def smallest_superlattice(
    lattice: np.ndarray, rotations: np.ndarray, min_length: float, most: int
) -> np.ndarray | None:
    """Find the smallest superlattice with all heights >= `min_length` that keeps the symmetry.

    All superlattices of one index are enumerated by their Hermite normal forms (Santoro and
    Mighell, Acta Cryst. A 28, 284 (1972); Hart and Forcade, Phys. Rev. B 77, 224115 (2008)).
    One that breaks the point group would cost more displacements than it saves atoms.

    Parameters
    ----------
    lattice : ndarray, shape (3, 3)
        Primitive vectors as rows, A.
    rotations : ndarray of int, shape (n, 3, 3)
        Point group, acting on columns of fractional coordinates.
    min_length : float
        Least perpendicular height, A.
    most : int
        Largest index (number of primitive cells) that is tried.

    Returns
    -------
    ndarray of int, shape (3, 3), or None
        Rows are the superlattice's reduced, right-handed vectors in terms of the primitive
        ones; None if there is none up to `most`.
    """
    volume = abs(np.linalg.det(lattice))
    # A cell with heights h_i has a volume of at least h_1 h_2 h_3.
    least = max(1, int(np.ceil(min_length**3 / volume * (1 - 1e-9))))
    short = _short_vectors(lattice, min_length)
    for index in range(least, most + 1):
        forms = _hermite_forms(index, rotations)
        forms = _keeping_symmetry(forms, rotations)
        for vector in short if len(forms) else ():
            forms = forms[~_contains(forms, vector)]
        candidates = [_reduce(form, lattice) for form in forms]
        fitting = [
            rows
            for rows in candidates
            if perpendicular_heights(rows @ lattice).min() >= min_length - 1e-6
        ]
        if fitting:
            return min(fitting, key=lambda rows: _shape_rank(rows @ lattice))
    return None


def random_superlattice(lattice: np.ndarray, index: int, rng: np.random.Generator) -> np.ndarray:
    """Draw one of all superlattices that hold `index` cells, each as likely as any other.

    Which waves fit into a crystal that is repeated equally along its axes is always the same;
    superlattices drawn at random hold all.

    Parameters
    ----------
    lattice : ndarray, shape (3, 3)
        Cell vectors as rows, A.
    index : int
        Number of cells.
    rng : Generator
        Decides.

    Returns
    -------
    ndarray of int, shape (3, 3)
        Rows are the superlattice's reduced, right-handed vectors in terms of the cell's.
    """
    triples = np.array(_factor_triples(index))
    # As many Hermite forms as there are values of b (below c), d and e (both below f).
    forms = triples[:, 1] * triples[:, 2] ** 2
    a, c, f = rng.choice(triples, p=forms / forms.sum())
    rows = np.array([[a, rng.integers(c), rng.integers(f)], [0, c, rng.integers(f)], [0, 0, f]])
    return _reduce(rows, lattice)


def _shape_rank(cell: np.ndarray) -> tuple[float, float, float]:
    """Order by greatest least height, then compactness, then least shear; independent of axes."""
    metric = cell @ cell.T
    lengths = np.diag(metric).sum()
    shear = np.abs(metric - np.diag(np.diag(metric))).sum()
    height = perpendicular_heights(cell).min()
    return (-round(float(height), 4), round(float(lengths), 3), round(float(shear), 3))


def _hermite_forms(index: int, rotations: np.ndarray) -> np.ndarray:
    """Hermite normal forms (rows span the superlattice) of determinant `index`, shape (n, 3, 3).

    Rows are (a b d), (0 c e), (0 0 f) with b < c and d, e < f. Forms that a rotation is seen
    to break by the leading components of the last two rows alone are not even made; in a
    cubic crystal these are nearly all.
    """
    blocks = [np.zeros((0, 3, 3), dtype=int)]
    r = rotations[:, :, :, None]
    for a, c, f in _factor_triples(index):
        # The rotated third row is f times the third column of the rotation.
        if (f * rotations[:, 0, 2] % a).any():
            continue
        b = np.arange(c)
        b = b[((f * r[:, 1, 2] - f * r[:, 0, 2] // a * b) % c == 0).all(axis=0)]
        e = np.arange(f)
        e = e[((c * r[:, 0, 1] + r[:, 0, 2] * e) % a == 0).all(axis=0)]
        grid = [axis.ravel() for axis in np.meshgrid(b, np.arange(f), e, indexing="ij")]
        block = np.zeros((grid[0].size, 3, 3), dtype=int)
        block[:, 0, 0], block[:, 1, 1], block[:, 2, 2] = a, c, f
        block[:, 0, 1], block[:, 0, 2], block[:, 1, 2] = grid
        blocks.append(block)
    return np.concatenate(blocks)


def _factor_triples(index: int) -> list[tuple[int, int, int]]:
    """All (a, c, f) with a c f = index."""
    divisors = [d for d in range(1, index + 1) if index % d == 0]
    return [(a, c, index // a // c) for a in divisors for c in divisors if index // a % c == 0]


def _contains(forms: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Tell which superlattices contain a vector: one for all, or one for each.

    Solved from the left by the triangular shape; forms that fail at a column are not looked
    at again, which makes the search over millions of forms quick.
    """
    vectors = np.broadcast_to(vectors, (len(forms), 3))
    alive = np.arange(len(forms))
    steps = np.zeros((len(forms), 0), dtype=int)
    for column in range(3):
        rest = vectors[alive, column] - sum(
            steps[:, k] * forms[alive, k, column] for k in range(column)
        )
        quotient, remainder = np.divmod(rest, forms[alive, column, column])
        whole = remainder == 0
        alive, steps = alive[whole], np.column_stack([steps[whole], quotient[whole]])
    found = np.zeros(len(forms), dtype=bool)
    found[alive] = True
    return found


def _keeping_symmetry(forms: np.ndarray, rotations: np.ndarray) -> np.ndarray:
    """Return those superlattices that every rotation maps onto themselves."""
    for rotation, row in itertools.product(rotations, range(3)):
        if not len(forms):
            break
        forms = forms[_contains(forms, forms[:, row] @ rotation.T)]
    return forms


def _short_vectors(lattice: np.ndarray, length: float) -> np.ndarray:
    """Primitive-lattice vectors (integer rows) shorter than `length`, one of each +- pair."""
    reach = np.ceil(length / perpendicular_heights(lattice)).astype(int)
    ranges = [np.arange(-n, n + 1) for n in reach]
    points = np.array(list(itertools.product(*ranges)))
    points = points[len(points) // 2 + 1 :]
    return points[np.linalg.norm(points @ lattice, axis=1) < length - 1e-6]


def _hermite_form(rows: np.ndarray) -> np.ndarray:
    """Hermite normal form, which is the same for all bases `rows` of a superlattice."""
    form = np.array(rows, dtype=int)
    for k in range(3):
        while (rest := np.flatnonzero(form[k:, k]) + k).size > 1:
            least = rest[np.argmin(np.abs(form[rest, k]))]
            form[[k, least]] = form[[least, k]]
            form[k + 1 :] -= np.outer(form[k + 1 :, k] // form[k, k], form[k])
        form[[k, rest[0]]] = form[[rest[0], k]]
        form[k] *= np.sign(form[k, k])
        form[:k] -= np.outer(form[:k, k] // form[k, k], form[k])
    return form


def _reduce(form: np.ndarray, lattice: np.ndarray) -> np.ndarray:
    """Right-handed integer rows of the superlattice `form` whose least height is greatest."""
    from ase.geometry import minkowski_reduce

    # Vectors of equal length are told apart by a strain, or rounding would choose among them.
    _, operation = minkowski_reduce(form @ lattice @ (np.eye(3) + _TIE_BREAKING_STRAIN))
    rows = _highest_bases(np.rint(operation).astype(int) @ form, lattice)[0]
    return -rows if np.linalg.det(rows @ lattice) < 0 else np.asarray(rows)


def _highest_bases(rows: np.ndarray, lattice: np.ndarray) -> np.ndarray:
    """Bases of greatest least height, and of these the shortest, of the superlattice `rows`.

    A Minkowski-reduced basis is not always the highest: of the 4x4x4 supercell of an fcc
    primitive cell, three vectors at 60 degrees are 15 % higher than others as short.
    """
    bases = _SHORT_BASES @ rows
    cells = bases @ lattice
    heights = np.round(1.0 / np.linalg.norm(np.linalg.inv(cells), axis=1).max(axis=1), 4)
    bases, cells = bases[heights == heights.max()], cells[heights == heights.max()]
    lengths = np.round((cells**2).sum(axis=(1, 2)), 3)
    return np.asarray(bases[lengths == lengths.min()])


def _symmetric(rows: np.ndarray, lattice: np.ndarray) -> np.ndarray:
    """Rearrange `rows` to an equally good basis with a symmetric matrix, if there is one.

    Then it does not matter whether a program takes rows or columns of a matrix in a file
    for the vectors; Euphonic 2.1 reads phonopy's matrices the wrong way round.
    """
    for basis in _highest_bases(rows, lattice):
        for order in itertools.permutations(range(3)):
            for signs in itertools.product((1, -1), repeat=3):
                found = np.diag(signs) @ basis[list(order)]
                if np.array_equal(found, found.T) and np.linalg.det(found @ lattice) > 0:
                    return np.asarray(found)
    return rows


def _short_bases() -> np.ndarray:
    """All bases of the integer lattice made of vectors of -1, 0, 1, shape (n, 3, 3)."""
    vectors = list(itertools.product((0, 1, -1), repeat=3))
    # The first component that is not zero is positive: one of each +- pair.
    half = [v for v in vectors if next((c for c in v if c), 0) > 0]
    triples = np.array(list(itertools.combinations(half, 3)))
    return triples[np.abs(np.rint(np.linalg.det(triples))) == 1]


_SHORT_BASES = _short_bases()
