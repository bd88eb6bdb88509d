"""Tests that measure what is promised, and the page that says what they measured."""
