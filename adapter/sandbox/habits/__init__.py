"""Habits of real FHIR servers, one by one or as the profile of a server; all off by default.

A habit is named and described where it is written; `registry` lists them, `profiles` says which
server has which, `active` puts them on and off while the sandbox runs. docs/sandbox.md is for people
who test their own client.
"""
