"""The line: which step follows which. The only package that knows both rooms and engine."""
