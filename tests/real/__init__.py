"""Tests that run against real servers; what is missing is said loudly."""
