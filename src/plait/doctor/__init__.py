"""What is wrong with a data set, what that does to results, and how to fix it.

`read` reads everything, `inspection` decodes images and masks, `images`, `splits`, `texts` and `masks` check them,
`known` says what each finding means, and `fix` writes a cleaned copy of the tables.
"""

from plait.doctor.check import Checkup, check_data
from plait.doctor.fix import clean_data

__all__ = ["Checkup", "check_data", "clean_data"]
