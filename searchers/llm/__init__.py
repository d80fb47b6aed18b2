"""HPO-LLaMA: the language model as a searcher."""
