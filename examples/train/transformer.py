# SPDX-License-Identifier: Apache-2.0
"""A small decoder-only transformer in NumPy with its gradient, and Adam.

Pre-norm blocks of causal self-attention and a two-layer perceptron, learned positions, no biases,
output tied to the embedding. float32, one thread suffices; the same seed gives the same numbers.
"""
from dataclasses import dataclass

import numpy as np

NORM_EPSILON = 1e-5
MASKED = np.float32(-1e9)


@dataclass(frozen=True)
class Shape:
    vocabulary: int
    context: int = 64
    width: int = 96
    heads: int = 4
    layers: int = 2


def initial_parameters(shape, random):
    """Name → array. Residual outputs start smaller, by the number of layers."""
    def normal(*size, scale=0.02):
        return (random.standard_normal(size) * scale).astype(np.float32)

    width, residual = shape.width, 0.02 / np.sqrt(2 * shape.layers)
    parameters = {"embedding": normal(shape.vocabulary, width), "position": normal(shape.context, width)}
    for layer in range(shape.layers):
        parameters |= {
            f"{layer}.norm1": np.ones(width, np.float32), f"{layer}.qkv": normal(width, 3 * width),
            f"{layer}.attention_out": normal(width, width, scale=residual),
            f"{layer}.norm2": np.ones(width, np.float32), f"{layer}.up": normal(width, 4 * width),
            f"{layer}.down": normal(4 * width, width, scale=residual),
        }
    return parameters | {"norm": np.ones(width, np.float32)}


def norm_forward(x, gain):
    scale = 1 / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + NORM_EPSILON)
    return x * scale * gain, (x, scale)


def norm_backward(gradient, cache, gain):
    x, scale = cache
    normed = x * scale
    gain_gradient = np.sum(gradient * normed, axis=(0, 1))
    inner = gradient * gain
    return scale * (inner - normed * np.mean(inner * normed, axis=-1, keepdims=True)), gain_gradient


def softmax(x):
    x = np.exp(x - x.max(axis=-1, keepdims=True))
    return x / x.sum(axis=-1, keepdims=True)


def split_heads(x, heads):
    batch, time, width = x.shape
    return x.reshape(batch, time, heads, width // heads).transpose(0, 2, 1, 3)


def join_heads(x):
    batch, heads, time, size = x.shape
    return x.transpose(0, 2, 1, 3).reshape(batch, time, heads * size)


def attention_forward(x, qkv_weight, out_weight, heads):
    q, k, v = (split_heads(part, heads) for part in np.split(x @ qkv_weight, 3, axis=-1))
    time, size = q.shape[2], q.shape[3]
    mask = np.triu(np.full((time, time), MASKED, np.float32), 1)
    weights = softmax(q @ k.transpose(0, 1, 3, 2) / np.float32(np.sqrt(size)) + mask)
    mixed = join_heads(weights @ v)
    return mixed @ out_weight, (x, q, k, v, weights, mixed)


def attention_backward(gradient, cache, qkv_weight, out_weight):
    x, q, k, v, weights, mixed = cache
    out_gradient = np.tensordot(mixed, gradient, axes=((0, 1), (0, 1)))
    mixed_gradient = split_heads(gradient @ out_weight.T, q.shape[1])
    v_gradient = weights.transpose(0, 1, 3, 2) @ mixed_gradient
    inner = mixed_gradient @ v.transpose(0, 1, 3, 2)
    scores = weights * (inner - np.sum(inner * weights, axis=-1, keepdims=True)) / np.float32(np.sqrt(q.shape[3]))
    parts = (scores @ k, scores.transpose(0, 1, 3, 2) @ q, v_gradient)
    qkv_gradient = np.concatenate([join_heads(part) for part in parts], axis=-1)
    return qkv_gradient @ qkv_weight.T, np.tensordot(x, qkv_gradient, axes=((0, 1), (0, 1))), out_gradient


def perceptron_forward(x, up, down):
    hidden = x @ up
    active = np.maximum(hidden, 0)
    return active @ down, (x, hidden, active)


def perceptron_backward(gradient, cache, up, down):
    x, hidden, active = cache
    down_gradient = np.tensordot(active, gradient, axes=((0, 1), (0, 1)))
    hidden_gradient = (gradient @ down.T) * (hidden > 0)
    return hidden_gradient @ up.T, np.tensordot(x, hidden_gradient, axes=((0, 1), (0, 1))), down_gradient


def forward(parameters, shape, tokens):
    """Logits of every position, and what backward needs."""
    x = parameters["embedding"][tokens] + parameters["position"][: tokens.shape[1]]
    caches = []
    for layer in range(shape.layers):
        weight = {name: parameters[f"{layer}.{name}"] for name in ("norm1", "qkv", "attention_out", "norm2", "up", "down")}
        normed, norm1 = norm_forward(x, weight["norm1"])
        attended, attention = attention_forward(normed, weight["qkv"], weight["attention_out"], shape.heads)
        x = x + attended
        normed, norm2 = norm_forward(x, weight["norm2"])
        lifted, perceptron = perceptron_forward(normed, weight["up"], weight["down"])
        x = x + lifted
        caches.append((weight, norm1, attention, norm2, perceptron))
    final, norm = norm_forward(x, parameters["norm"])
    return final @ parameters["embedding"].T, (caches, norm, final)


def loss_of(logits, targets):
    """Mean cross entropy in nats per token, and its gradient by the logits."""
    probabilities = softmax(logits)
    rows, columns = np.indices(targets.shape)
    loss = -np.log(probabilities[rows, columns, targets] + 1e-12).mean()
    probabilities[rows, columns, targets] -= 1
    return float(loss), probabilities / np.float32(targets.size)


def loss_and_gradients(parameters, shape, tokens, targets):
    logits, (caches, norm, final) = forward(parameters, shape, tokens)
    loss, gradient = loss_of(logits, targets)
    gradients = {"embedding": np.tensordot(gradient, final, axes=((0, 1), (0, 1)))}
    gradient, gradients["norm"] = norm_backward(gradient @ parameters["embedding"], norm, parameters["norm"])
    for layer in reversed(range(shape.layers)):
        weight, norm1, attention, norm2, perceptron = caches[layer]
        inner, up, down = perceptron_backward(gradient, perceptron, weight["up"], weight["down"])
        inner, gain2 = norm_backward(inner, norm2, weight["norm2"])
        gradient = gradient + inner
        inner, qkv, out = attention_backward(gradient, attention, weight["qkv"], weight["attention_out"])
        inner, gain1 = norm_backward(inner, norm1, weight["norm1"])
        gradient = gradient + inner
        names = {"norm1": gain1, "qkv": qkv, "attention_out": out, "norm2": gain2, "up": up, "down": down}
        gradients |= {f"{layer}.{name}": value for name, value in names.items()}
    np.add.at(gradients["embedding"], tokens, gradient)
    gradients["position"] = np.zeros_like(parameters["position"])
    gradients["position"][: tokens.shape[1]] = gradient.sum(axis=0)
    return loss, gradients


class Adam:
    def __init__(self, parameters):
        self.first = {name: np.zeros_like(value) for name, value in parameters.items()}
        self.second = {name: np.zeros_like(value) for name, value in parameters.items()}

    def update(self, parameters, gradients, step, rate, beta1=0.9, beta2=0.98):
        """`step` counts from 1; parameters are changed in place, in the order of their names."""
        correction = np.sqrt(1 - beta2**step) / (1 - beta1**step)
        for name in sorted(parameters):
            first, second, gradient = self.first[name], self.second[name], gradients[name]
            first += np.float32(1 - beta1) * (gradient - first)
            second += np.float32(1 - beta2) * (gradient * gradient - second)
            parameters[name] -= np.float32(rate * correction) * first / (np.sqrt(second) + np.float32(1e-8))
