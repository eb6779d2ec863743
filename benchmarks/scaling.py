"""How training grows with the data: two epochs of the CNN on an eighth to four times of it.

More than all is all, repeated; the augmentation makes other images of them.
"""

import pandas as pd
from tqdm import tqdm

from benchmarks import measuring

SHARES = (1 / 8, 1 / 4, 1 / 2, 1, 2, 4)


def main() -> None:
    measuring.parser("scaling", __doc__ or "").parse_args()
    images = len(measuring.split("train").labels)
    rows = []
    for share in tqdm(SHARES, unit="size"):
        command = ["python3", "-m", "benchmarks.contestants", "cnn", "--epochs=2"]
        cost, printed = measuring.measure([*command, f"--share={share}"])
        count = round(share * images)
        seconds = measuring.last_json(printed)["cpu_seconds"]
        rows.append(
            {
                "share": share,
                "images": count,
                "arrays MB": count * 785 / 1e6,
                "CPU s": seconds,
                "CPU us per image and epoch": seconds / count / 2 * 1e6,
                "peak MB": cost.peak_megabytes,
            }
        )
    table = pd.DataFrame(rows)
    growth = table["peak MB"].diff() / table["arrays MB"].diff()
    table["peak MB for each further MB"] = growth.round(3)
    measuring.write("scaling", table)


if __name__ == "__main__":
    main()
