"""The models that are served: their data, training, weights, TensorFlow definitions and float64 reference."""
