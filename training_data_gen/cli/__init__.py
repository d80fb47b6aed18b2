"""The commands of this package; `autommlab` finds them by the entry-point group `autommlab.commands`."""
