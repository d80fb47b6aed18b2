"""Sentences that state one demand, or none: they are added to requests that lack it.

`{kind}` is a slot; `{kind_x}` one whose value is not what is asked for.
"""

from __future__ import annotations

import re

from training_data_gen.requests.slots import Part, Slot

_SLOT = re.compile(r"\{(\w+?)(_x)?\}")


def parts(template: str, metric: int = 0) -> tuple[Part, ...]:
    """A template as text and slots; its scores are those of the metric of that number."""
    made: list[Part] = []
    place = 0
    for match in _SLOT.finditer(template):
        number = metric if match[1] in ("score", "metric") else 0
        made += [template[place : match.start()], Slot(match[1], number, decoy=match[2] is not None)]
        place = match.end()
    return tuple(part for part in [*made, template[place:]] if part != "")


def _lines(text: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in text.strip().splitlines())


#: Field -> templates; "metrics" for what must be reached, "errors" for what must not be exceeded.
CLAUSES = {
    "metrics": _lines("""
        {metric} of at least {score}.
        {metric} should reach {score}.
        I expect {metric} {score}.
        {metric} >= {score}.
        {metric} > {score}
        {metric} of {score} would do.
        We need {metric} above {score}.
        Aim for {metric} {score} or better.
        It has to achieve {score} {metric}.
        The {metric} must not be lower than {score}.
        Minimum {metric}: {score}.
        The {metric} should be {score}.
        Target {metric} is {score}.
        I'd be happy with {score} {metric}.
        The acceptance test demands {metric} of {score}.
        With {metric} no worse than {score}, please.
        {score} {metric} is the goal.
        Please make sure that {metric} is over {score}.
        Last year it was {metric} {score_x}, now we want {score}.
        I wrote {score_x} for {metric} in my first mail; correct that to {score}.
        Our present system has {metric} {score_x}; we want {score}.
        {metric} {score_x} would be nice, but {score} is what we ask for.
        {metric} somewhere from {score} up.
        ({metric} {score} at the least)"""),
    "errors": _lines("""
        {metric} below {score}.
        {metric} at most {score}.
        The {metric} must not exceed {score}.
        We can live with an {metric} of {score}.
        {metric} {score}.
        {metric} <= {score}.
        {metric} of {score} or lower, please."""),
    "time": _lines("""
        At most {time} per image.
        It may take {time} for an image.
        Each picture has to be done within {time}.
        Latency below {time}.
        Max latency: {time}.
        The answer should come in {time}.
        Inference in under {time}, please.
        {time} a picture is fine.
        Speed: {time} per image.
        We can wait {time} for a result.
        No longer than {time} each.
        The inference time should not exceed {time}.
        A result every {time} is all we need.
        {time} per frame is the budget.
        First we said {time_x}, by now it has to be {time}.
        It must respond within {time}.
        One image must not take more than {time}."""),
    "rate": _lines("""
        It must run at {rate}.
        At least {rate}.
        {rate} or faster.
        We need {rate}.
        Speed: {rate}.
        It should handle {rate}.
        Please make it keep up with {rate}.
        Inference speed of {rate} at least.
        The camera gives {rate_x}, but {rate} is enough for the model.
        Our cameras run at {rate_x}; the model only needs {rate}.
        {rate} would be great, as a minimum.
        Throughput not below {rate}.
        The model has to process {rate}."""),
    "flops": _lines("""
        Under {flops}.
        No more than {flops}.
        It must stay below {flops}.
        The budget is {flops}.
        FLOPs: {flops}.
        Compute must not exceed {flops} per image.
        {flops} at most.
        Max {flops}.
        I can spare {flops} for a picture.
        Computational cost up to {flops}.
        <= {flops}
        {flops} is our ceiling, not {flops_x}.
        It should need less than {flops}."""),
    "parameters": _lines("""
        Under {parameters} parameters.
        At most {parameters} parameters.
        Fewer than {parameters} params.
        No more than {parameters} weights.
        The model should have up to {parameters} parameters.
        Model size: {parameters} parameters.
        Max {parameters} params.
        The network may have {parameters} parameters.
        Keep it below {parameters} parameters.
        It must fit into {parameters} parameters.
        Parameters should be limited to {parameters}.
        <= {parameters} params.
        Not {parameters_x} parameters as before, {parameters} is the limit now.
        {parameters} parameters is all that fits.
        Number of parameters less than {parameters}."""),
    "model": _lines("""
        Use {model}.
        {model}, please.
        I'd like {model} for this.
        The model should be {model}.
        We want {model}.
        Please train {model}.
        Model: {model}.
        Based on {model}.
        Go for {model}.
        {model} is what my colleagues use, so that one.
        We have had good results with {model}; stay with it.
        Not {model_x}, I want {model}.
        I was going to ask for {model_x}, but {model} suits us better.
        Take {model} instead of {model_x}.
        {model} has been decided on."""),
    "data": _lines("""
        Train it on {data}.
        Please use the {data} data set.
        The data is {data}.
        Start from {data}.
        Dataset: {data}.
        We'd like {data} as training data.
        Use {data} for training, please.
        It should be trained with {data}."""),
    "engine": _lines("""
        It will run with {engine}.
        Deploy with {engine}.
        {engine} is our runtime.
        Export it for {engine}.
        Inference engine: {engine}.
        We use {engine}.
        Please deploy it through {engine}.
        {engine}, not {engine_x}.
        Not {other_engine}, {engine}.
        We need it in {engine}.
        The app is built on {engine}.
        I was told {other_engine} is faster, but we have {engine}.
        Backend is {engine}."""),
    "cpu": _lines("""
        It runs on a CPU.
        CPU only.
        There is no GPU.
        We have no graphics card.
        It has to run on a plain laptop.
        The computer has no GPU.
        No GPU on site.
        Target is a CPU.
        It will be used on an ordinary office PC without a graphics card.
        Must work without a GPU.
        Deployed on a Raspberry Pi.
        Device: CPU.
        Just a normal processor, nothing else.
        Only an Intel CPU is available.
        We do not own any GPU.
        The tablet has nothing but a CPU."""),
    "gpu": _lines("""
        It runs on a GPU.
        We have a GPU.
        There is an {card} in the machine.
        On an {card}.
        A CUDA card is available.
        It will be deployed on our GPU server.
        Target device: GPU.
        An {card} does the computing.
        Hardware: {card}.
        We bought an {card} for this.
        Our workstation has an {card}.
        Use the GPU.
        The server holds an {card}, please use that.
        Deployment on CUDA."""),
}

#: Sentences that demand nothing, though they sound like it.
NOTHING = _lines("""
    We have about {count} pictures so far.
    There are {count} images.
    The pictures are 1920x1080.
    Images come in 640 x 480.
    The photos have 12 megapixels.
    Budget is {count} euros.
    The whole thing must not cost more than {count} dollars.
    The camera itself delivers 60 fps.
    Our camera records at 25 fps.
    The belt moves at 0.8 m/s.
    We need it by the end of March.
    The deadline is in 3 weeks.
    The model file should fit on a 64 MB disk.
    We started this in 2019.
    There are four of us in the team.
    Speed does not matter.
    I have no preference for the model.
    Any engine is fine.
    I don't care about the size of the network.
    No {other_engine}, please.
    Please do not use {model_x}.
    We tried {model_x} and it was no good.
    The accuracy of our old system was poor.
    I know nothing about neural networks.
    Hardware is still undecided.
    My phone is 3 years old.
    Last year's vendor charged {count} for less.
    The room is 4 by 6 metres.
    It will be used 24 hours a day.
    We open at 8 and close at 17.
    I leave the rest to you.
    Other details do not matter.
    Money is not the problem.""")

#: Fields about which such a sentence says that nothing is asked.
ABOUT = {
    "Speed does not matter.": frozenset({"speed"}),
    "I have no preference for the model.": frozenset({"model"}),
    "Any engine is fine.": frozenset({"engine"}),
    "I don't care about the size of the network.": frozenset({"parameters", "flops"}),
    "Hardware is still undecided.": frozenset({"device"}),
    "I leave the rest to you.": frozenset(),
}
GREETINGS = _lines("""
    Hi!
    Hello,
    Hi there,
    Good morning.
    Dear team,
    hey
    Hello everyone.
    Good evening,
    Greetings from Oslo!
    To whom it may concern,""")
CLOSINGS = _lines("""
    Thanks!
    Thank you in advance.
    Thanks a lot
    Best regards
    cheers
    Please let me know.
    Is that possible?
    Can you do that?
    Looking forward to it.
    thx""")
