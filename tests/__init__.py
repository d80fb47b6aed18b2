"""All tests; `helpers` is the one package that test modules import from."""
