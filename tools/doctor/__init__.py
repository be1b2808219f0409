"""Check an installation: `python -m core.doctor`. Modules by subject of the checks."""
