"""Nested things of any shape (JSON objects, XML elements) flattened to records with named columns."""
