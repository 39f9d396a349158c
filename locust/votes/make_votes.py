"""Generates the vote files from the catalogue of bands: `python make_votes.py [DIRECTORY]`.

The default directory is that of this script. The output is deterministic. The number of votes for a band depends on its
popularity, and for an album on its position in the band's list. Each album has a mean rank with random deviations.
"""

import csv
import io
import json
import random
import sys
from pathlib import Path

HERE = Path(__file__).parent
VOTES = 1500
EXAMPLES = 25
SEED = 502
NUMBERS_SHARE = 0.15
"""The share of votes with year and rank as JSON numbers. The others have text, as most clients send it."""

Vote = dict[str, str | int | float]


def draw_votes() -> list[Vote]:
    """Draws the votes."""
    generator = random.Random(SEED)  # noqa: S311 - must be reproducible
    albums, weights, mean_ranks = [], [], []
    for band in json.loads((HERE / "catalogue.json").read_text("utf-8")):
        for position, (album, year) in enumerate(band["albums"].items(), start=1):
            albums.append((band["name"], album, year))
            weights.append(band["popularity"] / position**0.7)
            mean_ranks.append(generator.uniform(6, 9))

    votes = []
    for choice in generator.choices(range(len(albums)), weights, k=VOTES):
        name, album, year = albums[choice]
        rank = round(min(10, max(0, generator.gauss(mean_ranks[choice], 1.2))), 1)
        if generator.random() < NUMBERS_SHARE:
            votes.append({"name": name, "album": album, "year": year, "rank": rank})
        else:
            votes.append({"name": name, "album": album, "year": str(year), "rank": str(rank)})
    return votes


def as_json(votes: list[Vote]) -> str:
    """Encodes the votes as a JSON array with one vote per line."""
    return "[\n" + ",\n".join(json.dumps(vote, ensure_ascii=False) for vote in votes) + "\n]\n"


def as_json_lines(votes: list[Vote]) -> str:
    """Encodes the votes as JSON lines."""
    return "".join(json.dumps(vote, ensure_ascii=False) + "\n" for vote in votes)


def as_csv(votes: list[Vote]) -> str:
    """Encodes the votes as CSV with a header."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(votes[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(votes)
    return text.getvalue()


def catalogue_as_csv() -> str:
    """Encodes the albums of the catalogue for the option `--catalogue` of the ingest services."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["name", "album"])
    for band in json.loads((HERE / "catalogue.json").read_text("utf-8")):
        writer.writerows((band["name"], album) for album in band["albums"])
    return text.getvalue()


def main() -> None:
    """Writes all files."""
    directory = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE
    votes = draw_votes()
    (directory / "bandas_guatemala.json").write_text(as_json(votes), "utf-8")
    (directory / "example.jsonl").write_text(as_json_lines(votes[:EXAMPLES]), "utf-8")
    (directory / "example.csv").write_text(as_csv(votes[:EXAMPLES]), "utf-8")
    (directory / "catalogue.csv").write_text(catalogue_as_csv(), "utf-8")


if __name__ == "__main__":
    main()
