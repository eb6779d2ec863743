"""From the mirrors to sound, split data: download, validation, preprocessing."""

import warnings

# Great Expectations imports pyspark wherever it is installed, which warns of pandas 3.
warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas", FutureWarning)
