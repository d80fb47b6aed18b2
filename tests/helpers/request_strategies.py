"""Requests of any kind, for property tests."""

from enum import StrEnum

from hypothesis import strategies as st

from autommlab.tasks import Task
from autommlab.understanding.request import (
    DataPart,
    DeployPart,
    Device,
    Engine,
    Flops,
    FlopsUnit,
    ModelPart,
    ModelRequest,
    Parameters,
    ParametersUnit,
    Speed,
    SpeedUnit,
)


def quantity(kind: type, units: type[StrEnum], values: st.SearchStrategy) -> st.SearchStrategy:
    specified = st.sampled_from([unit for unit in units if unit != "none"])
    return st.one_of(st.just(kind()), st.builds(kind, value=values, unit=specified))


def requests(
    names: st.SearchStrategy, texts: st.SearchStrategy, amounts: st.SearchStrategy, metrics: st.SearchStrategy
) -> st.SearchStrategy[ModelRequest]:
    return st.builds(
        ModelRequest,
        data=st.builds(
            DataPart,
            description=texts,
            scenario=texts,
            object=st.lists(names, max_size=4).map(tuple),
            modality=names,
            specific=st.lists(names, max_size=3).map(tuple),
        ),
        model=st.builds(
            ModelPart,
            description=texts,
            task=st.sampled_from(Task),
            specific_model=names,
            speed=quantity(Speed, SpeedUnit, amounts),
            flops=quantity(Flops, FlopsUnit, amounts),
            parameters=quantity(Parameters, ParametersUnit, amounts),
            metrics=st.lists(metrics, max_size=3).map(tuple),
        ),
        deploy=st.builds(
            DeployPart, description=texts, gpu=st.sampled_from(Device), inference_engine=st.sampled_from(Engine)
        ),
    )
