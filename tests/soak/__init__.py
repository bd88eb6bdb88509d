"""A service that runs for hours under a laboratory that never rests: does it grow? (C8)"""
