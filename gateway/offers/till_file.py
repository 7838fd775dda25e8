"""Reading what a till wrote: a CSV of redeemed codes and purchases, each mistake with file, line and column."""

from pathlib import Path
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from device_models.yaml_lines import FileError
from gateway.commands.offers import Redemption
from gateway.people.csv_cells import Cell, CsvSyntaxError, rows_of

Text = Annotated[str, Field(min_length=1, max_length=200)]
Optional = Annotated[Text | None, BeforeValidator(lambda value: value or None)]


class TillRow(BaseModel):
    """One purchase, from a file or the API."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)

    code: Optional = None
    offer_id: Optional = None
    customer_id: Optional = None
    receipt: Optional = None
    amount: Annotated[
        Annotated[float, Field(ge=0, allow_inf_nan=False)] | None, BeforeValidator(lambda value: value or None)
    ] = None
    shop_id: Optional = None
    at: Annotated[AwareDatetime | None, BeforeValidator(lambda value: value or None)] = None

    @model_validator(mode="after")
    def _says_enough(self) -> "TillRow":
        if self.code is None and not (self.customer_id and self.offer_id and self.receipt):
            raise ValueError("needs a code, or customer_id, offer_id and receipt")
        return self

    def redemption(self) -> Redemption:
        """Return it as the command carries it."""
        return Redemption(**self.model_dump())


def read_till_file(path: Path) -> tuple[list[tuple[int, Redemption]], list[FileError]]:
    """Read a CSV with a header; return the good rows with their lines, and what is wrong with the others.

    Columns: ``code``, ``offer_id``, ``customer_id``, ``receipt``, ``amount``, ``shop_id``, ``at`` (RFC 3339 with a
    zone), in any order; only those that are needed. Raises OSError where the file cannot be read.
    """
    name = str(path)
    try:
        rows = list(rows_of(path.read_bytes().decode("utf-8-sig")))
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        return [], [FileError(name, line, 1, "", f"is not UTF-8 (byte {error.start + 1}); save it as UTF-8")]
    except CsvSyntaxError as error:
        return [], [FileError(name, error.line, error.column, "", str(error))]
    if not rows:
        return [], [FileError(name, 1, 1, "", "is empty; the first line names the columns")]
    header, *body = rows
    fields = [cell.text.strip() for cell in header]
    known = ", ".join(TillRow.model_fields)
    wrong = [
        FileError(name, cell.line, cell.column, cell.text, f"is no column; the columns are {known}")
        for cell in header
        if cell.text.strip() not in TillRow.model_fields
    ]
    if wrong:
        return [], wrong
    return _read_rows(name, fields, body)


def _read_rows(
    name: str, fields: list[str], body: list[list[Cell]]
) -> tuple[list[tuple[int, Redemption]], list[FileError]]:
    good: list[tuple[int, Redemption]] = []
    wrong: list[FileError] = []
    for row in body:
        if len(row) != len(fields):
            message = f"has {len(row)} cells where the header has {len(fields)}"
            wrong.append(FileError(name, row[0].line, 1, "", message))
            continue
        try:
            good.append(
                (
                    row[0].line,
                    TillRow.model_validate({f: c.text for f, c in zip(fields, row, strict=True)}).redemption(),
                )
            )
        except ValidationError as error:
            for detail in error.errors():
                field = str(detail["loc"][0]) if detail["loc"] else ""
                cell = row[fields.index(field)] if field in fields else row[0]
                message = str(detail["msg"]).removeprefix("Value error, ")
                wrong.append(FileError(name, cell.line, cell.column, field, message))
    return good, wrong
