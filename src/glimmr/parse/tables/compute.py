"""Arrow's compute functions; pyarrow makes them at import time, so type checkers cannot see them by themselves."""

from typing import Any

import pyarrow.compute

functions: Any = pyarrow.compute
