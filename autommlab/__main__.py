"""`python -m autommlab` is `autommlab`."""

from autommlab.cli import main

main()
