"""The self-contained HTML report of a run."""

from autommlab.report.content import Picture, ReportContent
from autommlab.report.render import write_report
from autommlab.report.samples import predicted_pictures, training_pictures

__all__ = ["Picture", "ReportContent", "predicted_pictures", "training_pictures", "write_report"]
