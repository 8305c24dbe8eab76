// A small autoencoder of points in space, trained here: dense layers, a code of two numbers, squared error and KL, gradients by hand, Adam.
//
// Matrices lie row by row in Float64Arrays. Shapes: N points, I and O the widths before and after a layer.
"use strict";

const Toy = (() => {
  const ARTICLE = [64, 64, 2]; // hidden widths of "An Interactive Introduction to Autoencoders" (Bertucci 2021), with tanh and Adam 0.01
  const SPACE = 3;
  const CODE = 2;

  // The slope of each activation from its output y: a layer's input need not be kept.
  const SLOPES = {
    tanh: (y) => 1 - y * y,
    relu: (y) => (y > 0 ? 1 : 0),
    leaky_relu: (y) => (y > 0 ? 1 : 0.2),
    elu: (y) => (y > 0 ? 1 : y + 1),
    sigmoid: (y) => y * (1 - y),
    softplus: (y) => -Math.expm1(-y),
    linear: () => 1,
  };

  /** x (N, I) through weight (O, I) and bias: shape (N, O). */
  function dense({ weight, bias }, x, num) {
    const inputs = x.length / num;
    const outputs = bias.length;
    const out = new Float64Array(num * outputs);
    for (let n = 0, to = 0; n < num; n++)
      for (let o = 0, at = 0; o < outputs; o++, to++) {
        let sum = bias[o];
        for (let i = 0, from = n * inputs; i < inputs; i++) sum += weight[at++] * x[from++];
        out[to] = sum;
      }
    return out;
  }

  /** The gradients of a dense layer from that of its output: of weight and bias, summed over points, and of its input. */
  function denseBack({ weight, bias }, x, delta, num) {
    const inputs = x.length / num;
    const outputs = bias.length;
    const back = new Float64Array(x.length);
    const grads = [new Float64Array(weight.length), new Float64Array(outputs)];
    for (let n = 0; n < num; n++)
      for (let o = 0; o < outputs; o++) {
        const d = delta[n * outputs + o];
        if (d === 0) continue;
        grads[1][o] += d;
        for (let i = 0, at = o * inputs, from = n * inputs; i < inputs; i++, at++, from++) {
          grads[0][at] += d * x[from];
          back[from] += d * weight[at];
        }
      }
    return { back, grads };
  }

  class Net {
    /**
     * points: [[x, y, z], ...].
     * hidden: widths from the points to the code; the decoder mirrors them. activation: of these layers; the code and
     *   the last layer are linear.
     * variational: the encoder also says a log-variance for each number of the code, and codes are drawn.
     * klWeight: of the divergence from N(0, I), where the net is variational. rate: of Adam.
     * seed: of the first weights, uniform within 1 / sqrt(inputs) as PyTorch's, and of all draws.
     * weights: [{weight, bias}, ...] to start from instead, the encoder's hidden layers, mean, log-variance, decoder.
     */
    constructor(points, { hidden = ARTICLE, activation = "tanh", variational = false, klWeight = 0, rate = 0.01, seed = 1, weights = null } = {}) {
      Object.assign(this, { variational, klWeight, rate, steps: 0 });
      this.num = points.length;
      this.points = Float64Array.from(points.flat());
      [this.apply, this.slope] = [Decoder.ACTIVATIONS[activation], SLOPES[activation]];
      this.draw = Core.random(seed);
      const widths = [SPACE, ...hidden];
      const shapes = widths.slice(1).map((out, l) => [out, widths[l]]);
      shapes.push(...Array(variational ? 2 : 1).fill([CODE, widths[hidden.length]]));
      const back = [CODE, ...hidden.slice().reverse(), SPACE];
      shapes.push(...back.slice(1).map((out, l) => [out, back[l]]));
      this.layers = shapes.map(([out, inputs], l) => {
        const uniform = () => (2 * this.draw() - 1) / Math.sqrt(inputs);
        const weight = weights ? Float64Array.from(weights[l].weight) : Float64Array.from({ length: out * inputs }, uniform);
        const bias = weights ? Float64Array.from(weights[l].bias) : Float64Array.from({ length: out }, uniform);
        return { weight, bias, moments: [weight, bias].map((p) => [new Float64Array(p.length), new Float64Array(p.length)]) };
      });
      this.mean = hidden.length; // where in `layers` the code's is
      this.after = this.mean + (variational ? 2 : 1);
    }

    /** A standard normal number (Box & Muller 1958). */
    normal() {
      return Math.sqrt(-2 * Math.log(1 - this.draw())) * Math.cos(2 * Math.PI * this.draw());
    }

    /** Through hidden layers [from, to): every output, the input first. */
    hidden(x, num, from, to) {
      const seen = [x];
      for (let l = from; l < to; l++) seen.push(dense(this.layers[l], seen[seen.length - 1], num).map(this.apply));
      return seen;
    }

    /** Points at codes (N, 2), flat: shape (N, 3). */
    decode(codes) {
      const num = codes.length / CODE;
      const last = this.layers.length - 1;
      return dense(this.layers[last], this.hidden(Float64Array.from(codes), num, this.after, last).pop(), num);
    }

    /**
     * Losses and gradients of all points, at given noise (N, 2) of the codes, or at the means.
     *
     * A point's loss is its squared error, summed over coordinates, plus klWeight times its KL in nats. Weights get the
     * gradient of the mean over points, each code that of its own point's loss.
     */
    backward(noise = null) {
      const { num, points, layers, mean, after, variational } = this;
      const last = layers.length - 1;
      const seen = this.hidden(points, num, 0, mean);
      const features = seen[seen.length - 1];
      const means = dense(layers[mean], features, num);
      const logvars = variational ? dense(layers[mean + 1], features, num) : null;
      const codes = means.slice();
      if (variational && noise) codes.forEach((z, i) => (codes[i] = z + Math.exp(0.5 * logvars[i]) * noise[i]));
      const decoded = this.hidden(codes, num, after, last);
      const outputs = dense(layers[last], decoded[decoded.length - 1], num);

      let error = 0;
      let kl = 0;
      let delta = outputs.map((v, i) => {
        error += (v - points[i]) ** 2;
        return 2 * (v - points[i]);
      });
      const grads = Array(layers.length);
      const through = (l, x, d) => {
        const { back, grads: own } = denseBack(layers[l], x, d, num);
        grads[l] = own.map((g) => g.map((v) => v / num));
        return back;
      };
      const sloped = (back, y) => back.map((d, i) => d * this.slope(y[i]));
      for (let l = last; l >= after; l--) {
        delta = through(l, decoded[l - after], delta);
        if (l > after) delta = sloped(delta, decoded[l - after]);
      }
      const codeGrads = delta.slice();
      let back;
      if (variational) {
        const wide = delta.map((d, i) => (noise ? 0.5 * d * noise[i] * Math.exp(0.5 * logvars[i]) : 0));
        means.forEach((m, i) => {
          kl += 0.5 * (m * m + Math.exp(logvars[i]) - 1 - logvars[i]);
          codeGrads[i] += this.klWeight * m;
          delta[i] += this.klWeight * m;
          wide[i] += 0.5 * this.klWeight * (Math.exp(logvars[i]) - 1);
        });
        const other = through(mean + 1, features, wide);
        back = through(mean, features, delta).map((d, i) => d + other[i]);
      } else back = through(mean, features, delta);
      for (let l = mean - 1; l >= 0; l--) {
        back = through(l, seen[l], sloped(back, seen[l + 1]));
      }
      const sigmas = variational ? logvars.map((v) => Math.exp(0.5 * v)) : null;
      return { grads, means, sigmas, codes, codeGrads, outputs, error: error / num, kl: kl / num, loss: (error + this.klWeight * kl) / num };
    }

    /** One step of Adam (Kingma & Ba 2015, alg. 1) on all points at once; a variational net draws its codes. */
    step(noise = this.variational ? Float64Array.from({ length: this.num * CODE }, () => this.normal()) : null) {
      const { grads } = this.backward(noise);
      this.steps += 1;
      const [b1, b2] = [0.9, 0.999];
      const [c1, c2] = [1 - b1 ** this.steps, 1 - b2 ** this.steps];
      this.layers.forEach((layer, l) => {
        [layer.weight, layer.bias].forEach((parameter, k) => {
          const [first, second] = layer.moments[k];
          const gradient = grads[l][k];
          for (let i = 0; i < parameter.length; i++) {
            first[i] = b1 * first[i] + (1 - b1) * gradient[i];
            second[i] = b2 * second[i] + (1 - b2) * gradient[i] * gradient[i];
            parameter[i] -= (this.rate * (first[i] / c1)) / (Math.sqrt(second[i] / c2) + 1e-8);
          }
        });
      });
    }
  }

  return { Net, ARTICLE, ACTIVATIONS: Object.keys(SLOPES) };
})();
