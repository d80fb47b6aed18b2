"""Every searcher behind Ray Tune's `Searcher` interface, and one registry. Knows nothing of OpenMMLab."""
