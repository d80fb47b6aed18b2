"""Scores that are asked for as a range."""

import pytest

from autommlab.understanding.request import ModelRequest
from autommlab.understanding.text import with_lower_ends


def score(text: str, given: float) -> float:
    request = ModelRequest.parse(
        {"data": {"object": ["cow"]}, "model": {"task": "detection", "metrics": [{"name": "mAP", "value": given}]}}
    )
    return with_lower_ends(request, text).model.metrics[0].value


@pytest.mark.parametrize(
    ("text", "given", "wanted"),
    [
        ("mAP between 40 % and 45%, please", 0.45, 0.4),
        ("mAP between .4 and .45", 0.45, 0.4),
        ("mAP 40-45 % would do", 0.45, 0.4),
        ("mAP 0.4 \u2013 0.45", 0.45, 0.4),
        ("mAP between 40 and 45 percent", 0.4, 0.4),
        ("raised from 0.4 to 0.45 last week", 0.45, 0.45),
        ("mAP 0.45, between 10 and 20 cows a picture", 0.45, 0.45),
        ("mAP 0.45 and cows of 2-3 years", 0.45, 0.45),
        ("mAP 0.9, cows of 10-90 months", 0.9, 0.9),
        ("mAP 40%-45%", 0.45, 0.4),
        ("mAP of 0.45", 0.45, 0.45),
    ],
)
def test_the_lower_end_counts(text: str, given: float, wanted: float) -> None:
    assert score(text, given) == pytest.approx(wanted)
