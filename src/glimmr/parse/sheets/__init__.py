"""Workbooks of every make as sheets of text cells: what each file format calls a row, a cell, a text, a number."""
