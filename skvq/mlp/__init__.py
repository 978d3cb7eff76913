"""The predictors, from the single neuron to the multilayer perceptron, and all of their training."""
