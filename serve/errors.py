"""What can go wrong between a client and the LLM service, each told apart by class."""

from __future__ import annotations


class ServiceError(Exception):
    """Root of the errors of this package; the text is for a person."""


class ServiceUnreachable(ServiceError):
    """Nothing that answers HTTP listens there, or it went away in the middle."""


class ServiceTimeout(ServiceError):
    """No complete answer within the time given."""


class ServiceRefused(ServiceError):
    """The service answered, and said no: unknown adapter, wrong key, prompt too long, overload."""


class ServiceNonsense(ServiceError):
    """Something answered, but not in the OpenAI API, or without what was asked for."""


class ServiceStartError(ServiceError):
    """The service could not be brought up: base model missing, port taken, out of memory."""


class ServiceSettingsError(ServiceError):
    """A setting is unknown or has a value that is not allowed."""


class BaseModelError(ServiceError):
    """A base model is missing, damaged, or not in a form that the service can load."""


class AdapterError(ServiceError):
    """An adapter is missing, not a LoRA of this base model, or has a name that cannot be used."""
