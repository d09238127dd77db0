"""Runs a plan whose steps are C functions, compiled once on the machine they run on."""
