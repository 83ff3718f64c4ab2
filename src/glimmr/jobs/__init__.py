"""The engine room: jobs that cannot be lost. It knows nothing of hospitals."""
