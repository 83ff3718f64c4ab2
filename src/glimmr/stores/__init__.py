"""Shelves: database and catalog, blobs, the lake. They hold addresses and open per use."""
