"""Train on a folder of pictures, look at the trials, try the model: python train_and_predict.py PICTURES/ PHOTO.png"""

import sys

import autommlab

pictures, photo = sys.argv[1:]
# A sentence works as well; it is read by an LLM, whose service takes a minute or two and 5 GB to start.
request = {
    "data": {"object": ["brick", "leaf", "sky"]},
    "model": {"task": "classification", "metrics": [{"name": "accuracy", "value": 0.9}]},
}
run = autommlab.run(
    request,
    data=pictures,
    trials=2,  # or time=20, in minutes
    iterations=(20, 30),
    batch=(4, 8),
    searcher="surrogate-grid",
    out="runs/materials",
)
print(run, run.figures["test"], [check.name for check in run.unmet])
print("trained:", run.model.entry.title, "on", ", ".join(run.dataset.classes))
print(run.study.trials()[["number", "status", "score", "params_lr", "proposed_by"]])
print("best:", run.study.result_grid().get_best_result().config)
print("report:", run.report)

answer = run.predict(photo)
print(answer["label"], answer["score"])
run.bundle.draw(photo, answer).save("predicted.png")
