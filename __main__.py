"""`python -m axonc`."""

from .cli.main import main

main()
