"""Images from tables: `.parquet` files, and data sets of the Hugging Face Hub by way of `datasets`."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from textae.core.config import nearest
from vision.data.form import Form, collect, make_form
from vision.data.images import ImageSet

ROWS = 1000  # of a table that are held at once


def read_parquet(path: str | Path, *, image_column: str | None = None, label_column: str | None = None, **form: Any) -> ImageSet:
    """Images of a parquet file, as encoded bytes: the Hub's struct of `bytes` and `path`, or a plain binary column.

    Args:
        path: The `.parquet` file.
        image_column: None takes the only column of such a type.
        label_column: None takes `label` or `labels` where there is one. Names of classes that `datasets` wrote are read.
        **form: Of `Form`.
    """
    import pyarrow as pa
    import pyarrow.parquet

    form = make_form(form, "read_parquet", "image_column", "label_column")
    try:
        with pa.parquet.ParquetFile(path) as file:
            schema = file.schema_arrow
            columns = table_columns(schema, image_column, label_column, str(path))
            batches = file.iter_batches(ROWS, columns=[c for c in columns if c])
            return from_tables(batches, columns, class_names(schema, columns[1]), form, str(path))
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"{path} is not a sound parquet file: {' '.join(str(error).split())}") from None


def table_columns(schema: Any, image_column: str | None, label_column: str | None, where: str) -> tuple[str, str | None]:
    """The columns of images and of labels in an Arrow schema: those that were named, or those that can only be meant."""
    import pyarrow as pa

    def holds_images(kind: Any) -> bool:
        return pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or (pa.types.is_struct(kind) and kind.get_field_index("bytes") >= 0)

    found = [column.name for column in schema if holds_images(column.type)]
    for name in (image_column, label_column):
        if name is not None and name not in schema.names:
            raise ValueError(f"{where} has no column {name!r}: {nearest(name, schema.names)}")
    if image_column is not None and image_column not in found:
        raise ValueError(f"{where}: the column {image_column!r} holds {schema.field(image_column).type}, not encoded images")
    if image_column is None and len(found) != 1:
        raise ValueError(f"{where} has {len(found)} columns of encoded images among {', '.join(schema.names)}: name one with image_column=...")
    usual = [name for name in ("label", "labels") if name in schema.names]
    return image_column or found[0], label_column or (usual[0] if usual else None)


def class_names(schema: Any, column: str | None) -> list[str] | None:
    """The names of a column's classes, which `datasets` keeps in a file's metadata; None where there are none."""
    features = json.loads((schema.metadata or {}).get(b"huggingface", b"{}")).get("info", {}).get("features", {})
    return features.get(column, {}).get("names") if column else None


def from_tables(
    batches: Iterable[Any], columns: tuple[str, str | None], names: list[str] | None, form: Form, where: str
) -> ImageSet:
    """A set from Arrow tables; labels are collected while the images are decoded."""
    image_column, label_column = columns
    labels: list[Any] = []

    def records() -> Iterator[tuple[str, Any]]:
        number = 0
        for batch in batches:
            rows = batch.select([c for c in columns if c]).to_pylist()
            for row in rows:
                number += 1
                cell = row[image_column]
                data = cell["bytes"] or cell.get("path") if isinstance(cell, dict) else cell
                if not data:
                    raise ValueError(f"{where}, row {number} has no image")
                if label_column is not None:
                    labels.append(row[label_column])
                yield f"{where}, row {number}", data

    return collect(records(), labels if label_column is not None else None, form, where, names)


def read_hub(
    name: str, *, split: str, config: str | None = None, image_column: str | None = None, label_column: str | None = None,
    **form: Any,
) -> ImageSet:  # fmt: skip
    """One split of a data set on the Hugging Face Hub, or of a local folder that `load_dataset` understands.

    Args:
        name: Its id, such as `ylecun/mnist`.
        split: As `load_dataset` takes it: `train`, or `train[:1000]`.
        config: Its configuration, where it has several.
        image_column, label_column: See `read_parquet`.
        **form: Of `Form`.

    Raises:
        ValueError: It cannot be loaded, lacks a column, or holds an image that cannot be taken.
    """
    from datasets import load_dataset
    from datasets.exceptions import DatasetsError

    form, where = make_form(form, "read_hub", "config", "image_column", "label_column"), f"{name}:{split}"
    try:
        dataset = load_dataset(name, config, split=split)
    except (ValueError, OSError, RuntimeError, DatasetsError) as error:
        raise ValueError(f"cannot load split {split!r} of {name!r} with load_dataset: {' '.join(str(error).split())}") from None
    schema = dataset.features.arrow_schema
    columns = table_columns(schema, image_column, label_column, where)
    batches = dataset.select_columns([c for c in columns if c]).with_format("arrow").iter(batch_size=ROWS)
    return from_tables(batches, columns, class_names(schema, columns[1]), form, where)
