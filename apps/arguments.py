"""What several commands take: their arguments and options, said once."""

from pathlib import Path
from typing import Annotated

import typer

Model = Annotated[str, typer.Option("--model", "-m", help="Bundled name, folder or Hub id.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, ...")]
Sentences = Annotated[list[str] | None, typer.Argument(help="Sentences; else --file, else standard input, one a line.")]
FromFile = Annotated[Path | None, typer.Option("--file", "-f", help="Read sentences from a file: .txt .csv .tsv .jsonl .parquet, or .gz of them.")]
Column = Annotated[str, typer.Option(help="The column of sentences in a table.")]
AsJson = Annotated[bool, typer.Option("--json", help="Write JSON.")]
Out = Annotated[Path | None, typer.Option("--out", "-o", help="Write to a file instead of the screen.")]
Seed = Annotated[int, typer.Option(help="Makes every draw repeatable.")]
Tense = Annotated[str, typer.Option(help="past, present, future or other, where the model knows tense.")]
Sentiment = Annotated[str, typer.Option(help="negative or positive, where the model knows sentiment; for `edit` also a number such as -1.5.")]
Attributes = Annotated[list[str] | None, typer.Option("--attribute", "-a", help="Any attribute, as NAME=VALUE; may be repeated.")]
Beams = Annotated[int, typer.Option(min=1, max=64, help="Beam search width; 1 is greedy.")]
