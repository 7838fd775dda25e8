"""``gateway replies``: see how a customer's message would be understood, and how often that is right."""

import json
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.options import plain_errors, stderr
from notifiers.understanding.lexicon import version
from notifiers.understanding.phrases import read_phrases
from notifiers.understanding.score import Score, score
from notifiers.understanding.understand import SURE, understand

app = typer.Typer(help="See how customers' messages are understood, and how often that is right.", no_args_is_help=True)

_HEAD = (
    "language",
    "phrases",
    "decided",
    "right",
    "STOP heard",
    "caught",
    "invented",
    "held",
    "urgent",
    "mood",
    "noise",
)


@app.command("read")
def read(
    text: Annotated[str, typer.Argument(help="What a customer wrote.")],
    language: Annotated[str, typer.Option(help="The customer's own, BCP 47.")] = "en",
) -> None:
    """Tag one message: intent, urgency, sentiment, noise, language, and by which words."""
    tags = understand(text, language)
    print(
        json.dumps(
            {
                "intent": tags.intent.value,
                "confidence": tags.confidence,
                "sure": tags.sure,
                "by": tags.by,
                "urgency": tags.urgency.value,
                "sentiment": tags.sentiment,
                "noise": tags.noise,
                "language": tags.language.language,
                "language_confidence": tags.language.confidence,
                "purposes": sorted(purpose.value for purpose in tags.purposes),
                "everything": tags.everything,
                "may_stop": tags.may_stop,
                "cues": list(tags.cues),
            },
            ensure_ascii=False,
        )
    )


@app.command("score")
def score_phrases(
    files: Annotated[list[Path], typer.Argument(help="Files of tagged phrases.", exists=True, dir_okay=False)],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a language.")] = False,
    mistakes: Annotated[bool, typer.Option("--mistakes", help="List what was decided wrongly.")] = False,
) -> None:
    """Read tagged phrases and say how many were decided, how many of those rightly, and whether each STOP was heard.

    Caught is a STOP that was heard, or after which what can wait is held until a person has read it; held counts the
    other phrases of which that is so. Leaves with status 1 where a STOP was not heard.
    """
    with plain_errors(OSError, ValueError):
        phrases = [p for path in files for p in read_phrases(path.read_text(encoding="utf-8"), str(path))]
    rows = score(phrases)
    if as_json:
        for row in rows:
            print(json.dumps(row.as_dict()))
    else:
        print("| " + " | ".join(_HEAD) + " |")
        print("| --- |" + " ---: |" * (len(_HEAD) - 1))
        for row in rows:
            print("| " + " | ".join(_cells(row)) + " |")
        stderr.print(f"cues {version()}; decided: confidence {SURE} and more", soft_wrap=True)
    if mistakes:
        for phrase, tags in rows[-1].mistakes:
            print(f"{phrase.language}: {phrase.text!r} is {phrase.intent}, read as {tags.intent} ({tags.confidence})")
    lost = rows[-1].stops - rows[-1].stops_heard
    if lost:
        stderr.print(f"{lost} of {rows[-1].stops} STOPs were not heard")
        raise typer.Exit(1)


def _cells(row: Score) -> list[str]:
    return [
        row.language,
        str(row.phrases),
        _share(row.decided, row.phrases),
        _share(row.right, row.decided),
        f"{row.stops_heard}/{row.stops}",
        f"{row.stops_caught}/{row.stops}",
        str(row.stops_invented),
        f"{row.held}/{row.phrases - row.stops}",
        f"{row.urgent_found}/{row.urgent} (+{row.urgent_invented})",
        _share(row.mood_right, row.phrases),
        _share(row.noise_right, row.phrases),
    ]


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.0f} %" if whole else "–"
