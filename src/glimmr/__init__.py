"""Every US hospital's published prices, brought home into one table that anyone can query."""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

# Loaded when first asked for: `import glimmr` stays light. The rooms are `glimmr.parse.parse`, `glimmr.query.query` …
_PUBLIC = {
    "FileReport": "glimmr.model",
    "GlimmrError": "glimmr.errors",
    "Lake": "glimmr.stores.lake",
    "Limits": "glimmr.parse.limits",
    "Outcome": "glimmr.outcomes",
    "PriceTable": "glimmr.query",
    "Settings": "glimmr.settings",
    "UsageError": "glimmr.errors",
}
# pyright: reportUnsupportedDunderAll=false
__all__ = [
    "FileReport",
    "GlimmrError",
    "Lake",
    "Limits",
    "Outcome",
    "PriceTable",
    "Settings",
    "UsageError",
    "__version__",
]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'glimmr' has no attribute {name!r}")
    return getattr(import_module(_PUBLIC[name]), name)
