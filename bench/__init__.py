"""Benchmarks: compare the speed of scimconf with other tools. Run `make bench`."""
