"""Expressions over the columns of a table, such as ``c_v(300) / mass``.

Python's grammar with a handful of its powers: what is not named here is refused. A row where
something is missing fulfils no condition that depends on it, be it ``x < 1``, ``x != 1`` or
``not (x < 1)``: truth has three values (S. C. Kleene, J. Symb. Log. 3, 150 (1938)), and
``stable or e_hull < 0.1`` holds where ``stable`` is true, whatever ``e_hull`` may be.
"""

from __future__ import annotations

import ast
import difflib
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, reduce
from itertools import pairwise
from numbers import Real
from typing import Literal

import numpy as np
from ase.data import chemical_symbols
from ase.formula import Formula

from mlphonon.errors import SettingsError
from mlphonon.screening.ranking.table import Table

Kind = Literal["number", "condition", "text"]

IS_A: Mapping[Kind, str] = {"number": "a number", "condition": "a condition", "text": "text"}

EMPTY: Mapping[Kind, float | bool | None] = {"number": np.nan, "condition": False, "text": None}
"""What stands where a value is missing."""

DTYPES: Mapping[Kind, type] = {"number": float, "condition": bool, "text": object}

KINDS: Mapping[str, Kind] = {"i": "number", "u": "number", "f": "number", "b": "condition"}
"""Of NumPy's kinds of arrays; those of objects are as their values."""

ARITHMETIC: Mapping[type[ast.AST], np.ufunc] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.divide,
    ast.FloorDiv: np.floor_divide,
    ast.Mod: np.remainder,
    ast.Pow: np.power,
    ast.USub: np.negative,
    ast.UAdd: np.positive,
}

COMPARISONS: Mapping[type[ast.AST], np.ufunc] = {
    ast.Eq: np.equal,
    ast.NotEq: np.not_equal,
    ast.Lt: np.less,
    ast.LtE: np.less_equal,
    ast.Gt: np.greater,
    ast.GtE: np.greater_equal,
}

FUNCTIONS: Mapping[str, np.ufunc] = {
    "abs": np.abs,
    "sqrt": np.sqrt,
    "log": np.log,
    "log10": np.log10,
    "exp": np.exp,
    "min": np.minimum,
    "max": np.maximum,
}

HAS = "has"

INSTEAD: Mapping[type[ast.AST], str] = {
    ast.BitAnd: "and",
    ast.BitOr: "or",
    ast.Invert: "not",
    ast.BitXor: "**",
    ast.Is: "==",
    ast.IsNot: "!=",
}

LANGUAGE = (
    "use columns, c_v(300) and the like, numbers, 'text', + - * / // % **, == != < <= > >=, in,"
    f" and, or, not, {', '.join(FUNCTIONS)}, {HAS}('Na', 'Cl')"
)

LONGEST, DEEPEST = 10_000, 100
"""Characters of an expression; Python's own parser is not safe with any number of them."""


def evaluate(text: str, table: Table, kind: Kind | None = None) -> np.ndarray:
    """Evaluate an expression for each row of a table.

    A text that is the name of a column is that column, even if it could be read otherwise.

    Parameters
    ----------
    text : str
        The expression.
    table : Table
        Its columns can be named; units are not considered.
    kind : str, optional
        What it has to be: "number", "condition" or "text".

    Returns
    -------
    ndarray, shape (n_rows,)
        Numbers, nan where something is missing or there is no finite result (as for 1 / 0);
        truth values, true where the condition is known to hold; or text (dtype object), None
        where it is missing.

    Raises
    ------
    SettingsError
        If it is no expression of this language, names what is not there, or is of another kind.
    """
    expression = _parse(text, table)
    try:
        value = _Reading(table).value(expression)
        found = value if kind is None else value.of_kind(kind)
    except OverflowError:
        raise SettingsError("an expression holds a number above 1e308") from None
    return np.broadcast_to(found.values, len(table)).copy()


def column_of(text: str, table: Table) -> str | None:
    """Return the column that an expression is, if it is nothing but one; ``c_v(300)`` is.

    Raises `SettingsError` if it is no expression, or names a column that is not there.
    """
    return _Reading(table).column(_parse(text, table))


def _parse(text: str, table: Table) -> ast.expr:
    text = text.strip()
    if text in table.columns:
        return ast.Name(id=text)
    if not text:
        raise SettingsError("an expression is empty", fix="give one, such as c_v(300) / mass")
    if len(text) > LONGEST:
        raise SettingsError(f"an expression has {len(text)} characters; it can have {LONGEST}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            expression = ast.parse(text, mode="eval").body
    except (RecursionError, MemoryError):
        raise _too_deep() from None
    except (SyntaxError, ValueError) as error:
        reason = error.msg if isinstance(error, SyntaxError) else str(error)
        raise SettingsError(f"{_quoted(text)} is no expression", reason, LANGUAGE) from None
    layer: list[ast.AST] = [expression]
    for _ in range(DEEPEST):
        layer = [child for node in layer for child in ast.iter_child_nodes(node)]
    if layer:
        raise _too_deep()
    return expression


def _too_deep() -> SettingsError:
    return SettingsError("an expression is nested too deeply", fix="write a simpler one")


def _said(part: ast.expr) -> str:
    return _quoted(ast.unparse(part))


def _quoted(text: str) -> str:
    short = text if len(text) <= 80 else f"{text[:77]}..."
    return short if "'" in short else f"'{short}'"


@dataclass(frozen=True)
class _Value:
    """What a part of an expression comes to, for all rows at once or for each.

    Attributes
    ----------
    part : ast.expr
        The part.
    kind : str
        Of the values.
    values : ndarray, shape () or (n_rows,)
        `EMPTY` where they are missing.
    known : ndarray of bool, shape () or (n_rows,)
        Where they are not.
    """

    part: ast.expr
    kind: Kind
    values: np.ndarray
    known: np.ndarray

    def of_kind(self, kind: Kind) -> _Value:
        """Return it if it is of a kind."""
        if self.kind != kind:
            fix = "compare it, as in mass > 10" if kind == "condition" else ""
            summary = f"{_said(self.part)} is {IS_A[self.kind]}, not {IS_A[kind]}"
            raise SettingsError(summary, fix=fix)
        return self


@dataclass(frozen=True)
class _Reading:
    """An expression is read over the columns of a table."""

    table: Table

    def value(self, part: ast.expr) -> _Value:
        """Return what a part comes to."""
        column = self.column(part)
        if column is not None:
            return _of_column(part, self.table.columns[column])
        match part:
            case ast.Constant(value=bool() | int() | float() | str() as constant):
                return _of_column(part, np.array(constant))
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return _not(part, self.value(operand))
            case ast.UnaryOp(op=sign, operand=operand) if type(sign) in ARITHMETIC:
                return _calculate(part, ARITHMETIC[type(sign)], self.value(operand))
            case ast.BinOp(left=left, op=operator, right=right) if type(operator) in ARITHMETIC:
                operands = self.value(left), self.value(right)
                return _calculate(part, ARITHMETIC[type(operator)], *operands)
            case ast.BoolOp(op=connective, values=parts):
                join = _all_of if isinstance(connective, ast.And) else _any_of
                return join(part, [self.value(each) for each in parts])
            case ast.Compare(left=item, ops=[ast.In() | ast.NotIn() as operator]):
                found = self._contained(part, item, part.comparators[0])
                return found if isinstance(operator, ast.In) else _not(part, found)
            case ast.Compare(ops=operators) if all(type(each) in COMPARISONS for each in operators):
                pairs = pairwise(self.value(each) for each in (part.left, *part.comparators))
                compared = [
                    _compare(part, COMPARISONS[type(operator)], *pair)
                    for operator, pair in zip(operators, pairs, strict=True)
                ]
                return _all_of(part, compared)
            case ast.Call(func=ast.Name(id=name), args=parts, keywords=[]):
                return self._has(part, parts) if name == HAS else self._call(part, name, parts)
        raise _refusal(part)

    def column(self, part: ast.expr) -> str | None:
        """Return the column that a part names, if it does."""
        match part:
            case ast.Name(id=name):
                return self._known(name)
            case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]):
                if name not in FUNCTIONS and name != HAS:
                    return self._at_temperature(name, arguments)
        return None

    def _known(self, name: str) -> str:
        if name in self.table.columns:
            return name
        thermal = self._thermal()
        if name in thermal:
            raise SettingsError(
                f"'{name}' depends on the temperature", fix=f"write {_offered(name, thermal[name])}"
            )
        if name in FUNCTIONS or name == HAS:
            raise SettingsError(f"'{name}' is a function", fix=f"write {name}(...)")
        at_temperatures = {column for each in thermal.values() for column in each.values()}
        plain = [column for column in self.table.columns if column not in at_temperatures]
        offered = [*plain, *(f"{quantity}(...)" for quantity in thermal)]
        raise SettingsError(f"there is no column '{name}'", fix=_alike(name, offered))

    def _thermal(self) -> dict[str, dict[float, str]]:
        """Return the columns of each quantity that depends on the temperature, by temperature."""
        found: dict[str, dict[float, str]] = {}
        for column in self.table.columns:
            if match := re.fullmatch(r"(\w+)_(\d+(?:\.\d+)?)", column):
                found.setdefault(match[1], {})[float(match[2])] = column
        return found

    def _at_temperature(self, name: str, arguments: Sequence[ast.expr]) -> str:
        thermal = self._thermal()
        if name not in thermal:
            if name in self.table.columns:
                raise SettingsError(f"'{name}' has no temperature", fix=f"write {name}")
            offered = [*FUNCTIONS, HAS, *thermal]
            raise SettingsError(f"there is no function '{name}'", fix=_alike(name, offered))
        fix = f"there is {_offered(name, thermal[name])}"
        match arguments:
            case [ast.Constant(value=int() | float() as temperature)]:
                if temperature in thermal[name]:
                    return thermal[name][temperature]
                raise SettingsError(f"there is no {name} at {temperature} K", fix=fix)
        raise SettingsError(f"'{name}' takes a temperature (K), a plain number", fix=fix)

    def _call(self, part: ast.expr, name: str, arguments: Sequence[ast.expr]) -> _Value:
        function = FUNCTIONS[name]
        values = [self.value(each) for each in arguments]
        if function.nin == 1 and len(values) == 1:
            return _calculate(part, function, *values)
        if function.nin == 2 and len(values) >= 2:
            return reduce(lambda one, other: _calculate(part, function, one, other), values)
        takes = "one number" if function.nin == 1 else "two numbers or more"
        raise SettingsError(f"'{name}' takes {takes}, not {len(values)}")

    def _contained(self, part: ast.expr, item: ast.expr, choice: ast.expr) -> _Value:
        match choice:
            case ast.Tuple(elts=[_, *_] as parts) | ast.List(elts=[_, *_] as parts):
                wanted = self.value(item)
                equal = [_compare(part, np.equal, wanted, self.value(each)) for each in parts]
                return _any_of(part, equal)
        raise SettingsError(
            f"{_said(choice)} is no list of values",
            fix="write one, as in spacegroup in ('Fm-3m', 'Pm-3m'); for elements has('Na', 'Cl')",
        )

    def _has(self, part: ast.expr, symbols: Sequence[ast.expr]) -> _Value:
        wanted = {getattr(each, "value", None) for each in symbols}
        if not wanted or not wanted <= set(chemical_symbols[1:]):
            raise SettingsError(
                f"{_said(part)} does not name elements", fix=f"write {HAS}('Na', 'Cl')"
            )
        formulas = self.value(ast.Name(id="formula")).of_kind("text")
        held = [_elements(formula) for formula in formulas.values]
        known = np.array([bool(each) for each in held], dtype=bool)
        return _Value(part, "condition", np.array([wanted <= x for x in held], dtype=bool), known)


def _of_column(part: ast.expr, column: np.ndarray) -> _Value:
    cells = column.astype(object)
    known = np.asarray(np.equal(cells, cells) & (cells != np.array(None)), dtype=bool)
    kind = KINDS.get(column.dtype.kind) or _kind_of({type(cell) for cell in cells[known]})
    values: np.ndarray = np.where(known, cells, np.array(EMPTY[kind])).astype(DTYPES[kind])
    if kind == "number":
        known = np.isfinite(values)
        values = np.where(known, values, np.nan)
    return _Value(part, kind, values, known)


def _kind_of(types: set[type]) -> Kind:
    if types and types <= {bool, np.bool_}:
        return "condition"
    return "number" if types and all(issubclass(each, Real) for each in types) else "text"


@lru_cache(maxsize=100_000)
def _elements(formula: str | None) -> frozenset[str]:
    """Return the elements in a formula, none if it is none."""
    try:
        return frozenset(Formula(formula or "").count())
    except ValueError:
        return frozenset()


def _calculate(part: ast.expr, function: np.ufunc, *operands: _Value) -> _Value:
    numbers = [operand.of_kind("number") for operand in operands]
    with np.errstate(all="ignore"):
        values = function(*(each.values for each in numbers))
    # NumPy's nan ** 0 is 1.
    known = reduce(np.logical_and, (each.known for each in numbers)) & np.isfinite(values)
    return _Value(part, "number", np.where(known, values, np.nan), known)


def _compare(part: ast.expr, function: np.ufunc, left: _Value, right: _Value) -> _Value:
    if left.kind != right.kind:
        summary = f"{_said(left.part)} cannot be compared with {_said(right.part)}"
        raise SettingsError(summary, f"one is {IS_A[left.kind]}, the other {IS_A[right.kind]}")
    if left.kind != "number" and function not in (np.equal, np.not_equal):
        raise SettingsError(f"{_said(part)} asks for an order of what has none", fix="use == or !=")
    known = left.known & right.known
    return _Value(part, "condition", function(left.values, right.values) & known, known)


def _not(part: ast.expr, negated: _Value) -> _Value:
    condition = negated.of_kind("condition")
    return _Value(part, "condition", condition.known & ~condition.values, condition.known)


def _all_of(part: ast.expr, joined: Sequence[_Value]) -> _Value:
    conditions = [each.of_kind("condition") for each in joined]
    true = reduce(np.logical_and, (each.values for each in conditions))
    false = reduce(np.logical_or, (each.known & ~each.values for each in conditions))
    return _Value(part, "condition", true, true | false)


def _any_of(part: ast.expr, joined: Sequence[_Value]) -> _Value:
    return _not(part, _all_of(part, [_not(each.part, each) for each in joined]))


def _alike(name: str, offered: Sequence[str]) -> str:
    alike = difflib.get_close_matches(name, offered, n=3, cutoff=0.6)
    return f"did you mean {', '.join(alike)}" if alike else f"there are {', '.join(offered)}"


def _offered(name: str, temperatures: Mapping[float, str]) -> str:
    return ", ".join(f"{name}({temperature:g})" for temperature in sorted(temperatures))


def _refusal(part: ast.expr) -> SettingsError:
    used = [getattr(part, "op", None), *getattr(part, "ops", ())]
    better = [INSTEAD[type(each)] for each in used if type(each) in INSTEAD]
    return SettingsError(
        f"{_said(part)} cannot be used in an expression",
        fix=f"write it with '{better[0]}'" if better else LANGUAGE,
    )
