// The toy network of the shapes, trained here: 3-64-64-2-2 to the code and 2-2-64-64-3 back, by back-propagation and Adam.
"use strict";

const Toy = (() => {
  const WIDTHS = [3, 64, 64, 2, 2, 2, 64, 64, 3];
  const CODE = 4; // the layer, counted from 1, whose output is the code: linear, as the last
  const RATE = 0.01;

  /** Random numbers in [0, 1) that repeat for a seed (mulberry32). */
  function random(seed) {
    let state = seed >>> 0;
    return () => {
      state = (state + 0x6d2b79f5) >>> 0;
      let t = state;
      t = Math.imul(t ^ (t >>> 15), t | 1);
      t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
      return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
    };
  }

  class Net {
    /** points: [[x, y, z], ...]; weights: optional [{weight, bias}, ...] to start from, else PyTorch's own uniform law. */
    constructor(points, seed, weights) {
      this.points = points;
      this.steps = 0;
      const draw = random(seed);
      this.layers = WIDTHS.slice(1).map((out, l) => {
        const size = out * WIDTHS[l];
        const bound = 1 / Math.sqrt(WIDTHS[l]);
        const uniform = () => (2 * draw() - 1) * bound;
        const weight = weights ? Float64Array.from(weights[l].weight) : Float64Array.from({ length: size }, uniform);
        const bias = weights ? Float64Array.from(weights[l].bias) : Float64Array.from({ length: out }, uniform);
        return { weight, bias, moments: [weight, bias].map((p) => [new Float64Array(p.length), new Float64Array(p.length)]) };
      });
    }

    /** Every layer's output for one point, the point first. */
    forward(point) {
      const seen = [Float64Array.from(point)];
      this.layers.forEach(({ weight, bias }, l) => {
        const x = seen[l];
        const linear = l + 1 === CODE || l + 1 === this.layers.length;
        seen.push(bias.map((b, o) => {
          let sum = b;
          for (let i = 0; i < x.length; i++) sum += weight[o * x.length + i] * x[i];
          return linear ? sum : Math.tanh(sum);
        }));
      });
      return seen;
    }

    /**
     * Losses and gradients of all points. A point's loss is its squared error; weights get the gradient of the mean
     * over points, each code that of its own point's loss.
     */
    backward() {
      const grads = this.layers.map(({ weight, bias }) => [new Float64Array(weight.length), new Float64Array(bias.length)]);
      const codes = [];
      const codeGrads = [];
      const outputs = [];
      let loss = 0;
      for (const point of this.points) {
        const seen = this.forward(point);
        const output = seen[seen.length - 1];
        let delta = output.map((v, i) => 2 * (v - point[i]));
        output.forEach((v, i) => (loss += (v - point[i]) ** 2));
        for (let l = this.layers.length - 1; l >= 0; l--) {
          const linear = l + 1 === CODE || l + 1 === this.layers.length;
          if (l + 1 === CODE) codeGrads.push(Array.from(delta));
          const y = seen[l + 1];
          const inner = linear ? delta : delta.map((d, o) => d * (1 - y[o] * y[o]));
          const x = seen[l];
          const { weight } = this.layers[l];
          const back = new Float64Array(x.length);
          for (let o = 0; o < inner.length; o++) {
            grads[l][1][o] += inner[o] / this.points.length;
            for (let i = 0; i < x.length; i++) {
              grads[l][0][o * x.length + i] += (inner[o] * x[i]) / this.points.length;
              back[i] += inner[o] * weight[o * x.length + i];
            }
          }
          delta = back;
        }
        codes.push(Array.from(seen[CODE]));
        outputs.push(Array.from(output));
      }
      return { grads, codes, codeGrads, outputs, loss: loss / this.points.length };
    }

    /** One step of Adam (Kingma & Ba 2015, alg. 1) on all points at once. */
    step() {
      const { grads } = this.backward();
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
            parameter[i] -= (RATE * (first[i] / c1)) / (Math.sqrt(second[i] / c2) + 1e-8);
          }
        });
      });
    }
  }

  return { Net };
})();
