"""Benchmarks of fastact for airspeed velocity: `asv_benches/README.md`."""
