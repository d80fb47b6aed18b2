"""The system for Python programs. `import autommlab` offers its names; the command line is a layer over it."""
