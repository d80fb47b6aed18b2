"""The stages in order; each leaves a record, and a record that exists is not made again."""
