// Codes to images and images to codes, as the model computes them: the steps that decoder.py exported, in float64 over the model's weights.
"use strict";

const Decoder = (() => {
  /** The error function by its series of positive terms (Abramowitz & Stegun 7.1.6), to the last digits of float64. */
  function erf(x) {
    const size = Math.abs(x);
    if (size > 6) return Math.sign(x);
    let term = size;
    let sum = size;
    for (let n = 1; n < 200 && term > 1e-17 * sum; n++) {
      term *= (2 * size * size) / (2 * n + 1);
      sum += term;
    }
    return Math.sign(x) * (2 / Math.sqrt(Math.PI)) * Math.exp(-size * size) * sum;
  }

  const sigmoid = (x) => 1 / (1 + Math.exp(-x));

  const ACTIVATIONS = {
    relu: (x) => (x > 0 ? x : 0),
    leaky_relu: (x) => (x > 0 ? x : 0.2 * x),
    elu: (x) => (x > 0 ? x : Math.expm1(x)),
    gelu: (x) => 0.5 * x * (1 + erf(x / Math.SQRT2)),
    silu: (x) => x * sigmoid(x),
    softplus: (x) => (x > 20 ? x : Math.log1p(Math.exp(x))),
    tanh: Math.tanh,
    sigmoid,
    linear: (x) => x,
  };

  // Expected pixel from what the network says of it.
  const LINKS = {
    sigmoid,
    linear: (x) => x,
    continuous_bernoulli: (x) => (Math.abs(x) < 1e-2 ? 0.5 + x / 12 : -1 / Math.expm1(-x) - 1 / x),
  };

  function dense(weight, bias, x) {
    const out = new Float64Array(bias.length);
    const width = x.length;
    for (let o = 0, at = 0; o < out.length; o++, at += width) {
      let sum = bias[o];
      for (let i = 0; i < width; i++) sum += weight[at + i] * x[i];
      out[o] = sum;
    }
    return out;
  }

  function conv(step, x) {
    const [outputs, inputs, kernel] = step.shape;
    const [height, width] = step.before;
    const [tall, wide] = step.after;
    const out = new Float64Array(outputs * tall * wide);
    for (let o = 0; o < outputs; o++)
      for (let y = 0; y < tall; y++)
        for (let c = 0; c < wide; c++) {
          let sum = step.bias[o];
          for (let i = 0; i < inputs; i++)
            for (let ky = 0; ky < kernel; ky++) {
              const row = y * step.stride - step.pad + ky;
              if (row < 0 || row >= height) continue;
              for (let kx = 0; kx < kernel; kx++) {
                const column = c * step.stride - step.pad + kx;
                if (column < 0 || column >= width) continue;
                sum += step.weight[((o * inputs + i) * kernel + ky) * kernel + kx] * x[(i * height + row) * width + column];
              }
            }
          out[(o * tall + y) * wide + c] = sum;
        }
    return out;
  }

  function transposed(step, x) {
    const [inputs, outputs, kernel] = step.shape;
    const [height, width] = step.before;
    const [tall, wide] = step.after;
    const out = new Float64Array(outputs * tall * wide);
    for (let o = 0; o < outputs; o++) out.fill(step.bias[o], o * tall * wide, (o + 1) * tall * wide);
    for (let i = 0; i < inputs; i++)
      for (let y = 0; y < height; y++)
        for (let c = 0; c < width; c++) {
          const value = x[(i * height + y) * width + c];
          if (value === 0) continue;
          for (let o = 0; o < outputs; o++)
            for (let ky = 0; ky < kernel; ky++) {
              const row = y * step.stride - step.pad + ky;
              if (row < 0 || row >= tall) continue;
              for (let kx = 0; kx < kernel; kx++) {
                const column = c * step.stride - step.pad + kx;
                if (column < 0 || column >= wide) continue;
                out[(o * tall + row) * wide + column] += value * step.weight[((i * outputs + o) * kernel + ky) * kernel + kx];
              }
            }
        }
    return out;
  }

  const RUN = {
    dense: (step, x) => dense(step.weight, step.bias, x),
    activation: (step, x) => x.map(step.apply),
    conv,
    transposed,
  };

  /** Steps with their weights unpacked, ready to run. */
  function unpackSteps(steps) {
    const found = steps.map((step) => {
      if (step.kind === "activation") return { kind: step.kind, apply: ACTIVATIONS[step.name] };
      return { ...step, shape: step.weight.shape, weight: Core.unpack(step.weight), bias: Core.unpack(step.bias) };
    });
    if (!found.every((step) => RUN[step.kind] && (step.kind !== "activation" || step.apply))) throw new Error(UNKNOWN);
    return found;
  }

  const UNKNOWN = "the model has a step that this page does not know: write the page again";
  const run = (steps, x) => steps.reduce((values, step) => RUN[step.kind](step, values), x);

  /** A decoder of points of a plane, from what `export_decoder` wrote. */
  class Network {
    constructor(spec) {
      this.shape = spec.shape;
      this.inputs = spec.inputs;
      this.link = LINKS[spec.link];
      this.steps = unpackSteps(spec.steps);
      if (!this.link) throw new Error(UNKNOWN);
    }

    /**
     * Expected pixels at a point, C · H · W of them.
     * choices: {category: index, attributes: [index or -1, ...]}; -1 leaves an attribute unspecified.
     */
    decode(x, y, choices = {}) {
      const context = [];
      for (let k = 0; k < this.inputs.categories; k++) context.push(k === (choices.category || 0) ? 1 : 0);
      context.push(x, y);
      this.inputs.attributes.forEach((attribute, a) => {
        const chosen = choices.attributes ? choices.attributes[a] : -1;
        attribute.values.forEach((_, v) => context.push(v === chosen ? 1 : 0));
      });
      return run(this.steps, Float64Array.from(context)).map(this.link);
    }
  }

  const [LOGVAR_MIN, LOGVAR_MAX] = [-10, 8]; // of textae.core.latent

  /** An encoder, from what `export_encoder` wrote. */
  class Encoder {
    constructor(spec) {
      this.steps = unpackSteps(spec.steps);
      this.mean = unpackSteps([spec.mean]);
      this.logvar = spec.logvar ? unpackSteps([spec.logvar]) : null;
    }

    /** Mean and standard deviation of the code of pixels in [0, 1], flat (C, H, W); a point code has no deviation. */
    encode(pixels) {
      const features = run(this.steps, Float64Array.from(pixels));
      const mean = run(this.mean, features);
      if (!this.logvar) return { mean, sigma: null };
      return { mean, sigma: run(this.logvar, features).map((v) => Math.exp(0.5 * Math.min(LOGVAR_MAX, Math.max(LOGVAR_MIN, v)))) };
    }
  }

  return { Network, Encoder, ACTIVATIONS };
})();
