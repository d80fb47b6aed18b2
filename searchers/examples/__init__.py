"""A problem of one's own, in three ways; the scripts of docs/searchers.md, which shows them as they are here."""
