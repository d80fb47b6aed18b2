"""AutoMMLab on Ray: one sentence becomes a trained, tuned, exported and verified vision model.

Importing this package is cheap: neither torch, Ray nor an OpenMMLab toolbox is
imported until a stage needs it.
"""

__version__ = "0.1.0"
