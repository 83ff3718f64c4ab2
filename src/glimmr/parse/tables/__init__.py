"""Tables of text with a header, whatever they came from, and how they become charges and rates."""
