"""INT8 beside the float model: by ONNX Runtime's quantiser, measured like it, delivered where it is good enough."""
