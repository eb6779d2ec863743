"""Which columns of a Parquet file hold the pictures and their ids."""

from dataclasses import dataclass

import pyarrow as pa

from digits.base.errors import UserError

ID, PICTURE = "id", "picture"  # the columns that `inputs.read` gives


@dataclass(frozen=True)
class Columns:
    """Which columns of a Parquet file are read; `pixels` has one name, or one for each pixel."""

    id: str | None = None
    pixels: tuple[str, ...] = ()


def choose(schema: pa.Schema, column: str | None, key: str | None, place: str) -> Columns:
    """Choose the columns to read.

    Args:
        schema: of the file.
        column: of the pictures; None: the one that may hold some, or all 784 numbers.
        key: of the ids; None: `id`, if there is one.
        place: of the input, for messages.

    Raises:
        UserError: there is no such column, it can hold no pictures, or no one way to choose.
    """
    for name in (column, key):
        if name and name not in schema.names:
            raise UserError(f"{place}: has no column {name}; it has {', '.join(schema.names[:20])}")
    key = key or (ID if ID in schema.names else None)
    if column:
        if not _may_hold_pictures(type_ := schema.field(column).type):
            raise UserError(
                f"{place}: column {column} holds {type_}: must be picture files, bytes, or lists "
                "of numbers, flat or by rows"
            )
        return Columns(key, (column,))
    others = [field for field in schema if field.name != key]
    holders = [field.name for field in others if _may_hold_pictures(field.type)]
    if len(holders) == 1:
        return Columns(key, (holders[0],))
    numbers = [field.name for field in others if _is_number(field.type)]
    pixels = [name for name in numbers if name != "label"]
    if not holders and len(pixels) == 784:
        return Columns(key, tuple(pixels))
    raise UserError(
        f"{place}: which column holds the pictures? name it with --column; "
        f"there are {', '.join(schema.names[:20])}"
    )


def _may_hold_pictures(type_: pa.DataType) -> bool:
    if pa.types.is_struct(type_):  # as Hugging Face's data sets have them
        index = type_.get_field_index("bytes")
        return index >= 0 and _is_bytes(type_.field(index).type)
    if _is_list(type_):
        values = type_.value_type
        return _is_number(values.value_type if _is_list(values) else values)
    return _is_bytes(type_) or pa.types.is_fixed_size_binary(type_)


def _is_bytes(type_: pa.DataType) -> bool:
    return pa.types.is_binary(type_) or pa.types.is_large_binary(type_)


def _is_list(type_: pa.DataType) -> bool:
    return (
        pa.types.is_list(type_)
        or pa.types.is_large_list(type_)
        or pa.types.is_fixed_size_list(type_)
    )


def _is_number(type_: pa.DataType) -> bool:
    return pa.types.is_integer(type_) or pa.types.is_floating(type_)
