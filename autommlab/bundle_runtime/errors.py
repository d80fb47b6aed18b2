"""The one error of a bundle, made to be read by a person."""


class BundleError(Exception):
    """The bundle or an image cannot be used; the text says why and what to do."""


class BoxError(BundleError):
    """A box that shows no part of the picture."""
