"""First sentences that state a task and its objects and nothing else; the demands come from clauses.

`{many}` are objects in the plural, `{bare}` in the singular, `{one}` in the singular with articles, of which the
first stands before it. A place in brackets is left out now and then.
"""

from __future__ import annotations

from autommlab.tasks import Task

#: Voice -> task -> openings.
FRAMES: dict[str, dict[Task, tuple[str, ...]]] = {
    "brief": {
        Task.CLASSIFICATION: (
            "Classify {many}.", "Image classification: {bare}.", "Tell apart {many}[ in a {place}].",
            "Classifier for {many}.", "A {one}? One label per image.", "Sort pictures into {bare}.",
        ),
        Task.DETECTION: (
            "Detect {many}[ in a {place}].", "Object detection: {bare}.", "Boxes around {many}.", "Find {many}.",
            "Locate {many}[, {place} camera].", "Detector for {many}.", "Count {many}.",
        ),
        Task.SEGMENTATION: (
            "Segment {many}[ in a {place}].", "Semantic segmentation: {bare}.", "Pixel masks of {many}.",
            "Mask every {bare}.", "Outline {many} exactly.", "Segmentation model for {many}.",
        ),
        Task.KEYPOINT: (
            "Keypoints of {many}.", "Pose estimation for {many}[ in a {place}].", "Joints of a {bare}.",
            "Landmarks: {bare}.", "Skeleton of each {bare}.", "Keypoint detection for {many}.",
        ),
    },
    "polite": {
        Task.CLASSIFICATION: (
            "I would like a model that classifies images of {many}.",
            "Could you please build a classifier that recognises whether a picture shows a {one}?",
            "I want to distinguish {many} in pictures[ from the {place}].",
            "We are looking for a model which decides if a photo shows a {one}.",
            "Please help me to recognise {many} in my photos, one class for each photo.",
            "My goal is to assign each image to one of these classes: {bare}.",
        ),
        Task.DETECTION: (
            "I would like to detect {many} in images[ of a {place}].",
            "Could you please make a model that finds {many} and draws boxes around them?",
            "We are looking for an object detector for {many}[ in our {place}].",
            "I need a model that tells me where {many} are in a picture.",
            "Please help me to locate {many}[ in the {place}].",
            "My goal is to count {many} with bounding boxes.",
        ),
        Task.SEGMENTATION: (
            "I would like to segment {many} in images[ of a {place}].",
            "Could you please make a model that labels the pixels of {many}?",
            "We are looking for a segmentation model for {many}[ in our {place}].",
            "I need exact masks of {many}.",
            "Please help me to outline {many}[ in the {place}] at pixel level.",
            "My goal is to measure the area of {many}, hence a pixel mask.",
        ),
        Task.KEYPOINT: (
            "I would like to estimate the pose of {many}[ in a {place}].",
            "Could you please make a model that finds the keypoints of {many}?",
            "We are looking for a keypoint model for {many}.",
            "I need the joint positions of {many}[ in our {place}].",
            "Please help me to place landmarks on {many}.",
            "My goal is to analyse how {many} move, which takes their body keypoints.",
        ),
    },
    "project": {
        Task.CLASSIFICATION: (
            "For a project[ at the {place}] we have to tell which of these a picture shows: {bare}.",
            "Our app should recognise {many} from one photo.",
            "We get lots of pictures and each must be labelled as a {one}.",
            "The system[ in the {place}] looks at one image and says whether it is a {one}.",
        ),
        Task.DETECTION: (
            "For a project[ at the {place}] we have to spot {many} in video and frame them.",
            "Our app should show where {many} are.",
            "A camera[ in the {place}] watches for {many}; every one of them should be boxed.",
            "The system has to localise each {bare} in the image.",
        ),
        Task.SEGMENTATION: (
            "For a project[ at the {place}] we have to cut {many} out of the picture, pixel by pixel.",
            "Our app should colour in {many} exactly.",
            "From the images[ of the {place}] we want a mask of {many}.",
            "The system has to decide for every pixel whether it belongs to a {one}.",
        ),
        Task.KEYPOINT: (
            "For a project[ at the {place}] we have to follow the body points of {many} in video.",
            "Our app should draw the skeleton of each {bare}.",
            "From the images we want the anatomical landmarks of {many}.",
            "The system has to locate the joints of {many}[ in the {place}].",
        ),
    },
}  # fmt: skip

#: Domains whose nouns have joints or landmarks.
JOINTED = ("person", "wild animal", "farm animal", "bird", "insect", "body part", "sea animal")
