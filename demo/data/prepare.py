#!/usr/bin/env python3
"""Makes the files of this folder from the CSV exports of three public packages.

    python3 prepare.py FOLDER

FOLDER holds, plain or gzipped, the three data sets exactly as their packages export them:

    causaldata_restaurant_inspections.csv   causaldata 0.1.5, restaurant_inspections/restaurant_data.csv
    modeldata_deliveries.csv                modeldata, data set `deliveries`
    gt_pizzaplace.csv                       gt, data set `pizzaplace`

Nothing but the standard library is used and no date is written into the archives: equal input, equal bytes.
NOTICE.md says what each step changes and which licence the result has.
"""

import csv
import gzip
import io
import itertools
import pathlib
import sys
from collections import Counter

HERE = pathlib.Path(__file__).resolve().parent
BUSINESSES = 20


def read(folder, name):
    """Rows of FOLDER/name.csv or FOLDER/name.csv.gz as dictionaries."""
    plain, packed = folder / f"{name}.csv", folder / f"{name}.csv.gz"
    opened = gzip.open(packed, "rt", newline="") if packed.exists() else open(plain, newline="")
    with opened as file:
        return list(csv.DictReader(file))


def write(name, header, rows):
    """HERE/name.csv.gz, byte for byte the same for the same rows."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    path = HERE / f"{name}.csv.gz"
    path.write_bytes(gzip.compress(text.getvalue().encode(), compresslevel=9, mtime=0))
    print(f"{path.name}: {len(rows)} rows, {path.stat().st_size} bytes")


def inspections(folder):
    """All inspections of the businesses with most of them, in the order of the source within a year."""
    rows = read(folder, "causaldata_restaurant_inspections")
    counts = Counter(row["business_name"] for row in rows)
    chosen = {name for name, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:BUSINESSES]}
    kept = [row for row in rows if row["business_name"] in chosen]
    kept.sort(key=lambda row: (row["business_name"], int(row["Year"])))  # stable: keeps the source's order
    write(
        "inspections",
        ["business", "year", "score", "weekend"],
        [
            [row["business_name"], row["Year"], row["inspection_score"], int(row["Weekend"].lower() == "true")]
            for row in kept
        ],
    )


def deliveries(folder):
    """Every delivery; the 27 item counts (0 to 9) become one string of digits."""
    rows = read(folder, "modeldata_deliveries")
    items = [name for name in rows[0] if name.startswith("item_")]
    assert len(items) == 27 and all(len(row[name]) == 1 for row in rows for name in items)
    write(
        "deliveries",
        ["minutes", "hour", "weekday", "distance", "items"],
        [
            [row["time_to_delivery"], row["hour"], row["day"], row["distance"], "".join(row[name] for name in items)]
            for row in rows
        ],
    )


def pizza_orders(folder):
    """One row per order: its pizzas as name:size, separated by blanks. Type and price of a pizza are dropped."""
    rows = read(folder, "gt_pizzaplace")
    orders = []
    for _, group in itertools.groupby(rows, key=lambda row: row["id"]):
        group = list(group)
        assert len({(row["date"], row["time"]) for row in group}) == 1
        lines = " ".join(f"{row['name']}:{row['size']}" for row in group)
        orders.append([group[0]["date"], group[0]["time"], lines])
    write("pizza_orders", ["date", "time", "pizzas"], orders)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    folder = pathlib.Path(sys.argv[1])
    inspections(folder)
    deliveries(folder)
    pizza_orders(folder)


if __name__ == "__main__":
    main()
