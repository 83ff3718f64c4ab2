"""The elements of CMS's JSON: where they begin and end, and how one becomes typed."""
