"""Writes the vote files beside this script from the catalogue of bands: `python make_votes.py [DIRECTORY]`.

The same script always writes the same files. A band gets votes by its popularity, an album of it by its place in the
band's list, and each album has a rank around which its voters scatter.
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
"""How many votes carry year and rank as JSON numbers; the others carry text, as most clients send it."""

Vote = dict[str, str | int | float]


def draw_votes() -> list[Vote]:
    """Draws the votes."""
    generator = random.Random(SEED)  # noqa: S311 - repeatable by intention
    albums, weights, mean_ranks = [], [], []
    for band in json.loads((HERE / "catalogue.json").read_text("utf-8")):
        for place, (album, year) in enumerate(band["albums"].items(), start=1):
            albums.append((band["name"], album, year))
            weights.append(band["popularity"] / place**0.7)
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
    """One JSON array, a line a vote."""
    return "[\n" + ",\n".join(json.dumps(vote, ensure_ascii=False) for vote in votes) + "\n]\n"


def as_json_lines(votes: list[Vote]) -> str:
    """A JSON object a line."""
    return "".join(json.dumps(vote, ensure_ascii=False) + "\n" for vote in votes)


def as_csv(votes: list[Vote]) -> str:
    """A header, then a vote a line."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(votes[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(votes)
    return text.getvalue()


def main() -> None:
    """Writes all files."""
    directory = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE
    votes = draw_votes()
    (directory / "bandas_guatemala.json").write_text(as_json(votes), "utf-8")
    (directory / "example.jsonl").write_text(as_json_lines(votes[:EXAMPLES]), "utf-8")
    (directory / "example.csv").write_text(as_csv(votes[:EXAMPLES]), "utf-8")


if __name__ == "__main__":
    main()
