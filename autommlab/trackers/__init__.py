"""A run in the trackers that people use: TensorBoard, MLflow, Weights & Biases, an Optuna storage."""
