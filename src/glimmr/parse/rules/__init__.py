"""CMS's rules for price files: which apply to a file, and what breaks them."""
