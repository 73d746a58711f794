"""Benchmarks of fastact for airspeed velocity."""
