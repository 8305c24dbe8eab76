// A square piece of the code's plane on a canvas: equal axes, grid, zoom, and the trails of the exact negative gradient.
"use strict";

const Plane = (() => {
  /** The smallest square view that holds all points [x0, y0, x1, y1, ...], with a margin. */
  function fit(points) {
    let [left, right, bottom, top] = [Infinity, -Infinity, Infinity, -Infinity];
    for (let i = 0; i < points.length; i += 2) {
      left = Math.min(left, points[i]);
      right = Math.max(right, points[i]);
      bottom = Math.min(bottom, points[i + 1]);
      top = Math.max(top, points[i + 1]);
    }
    const half = Math.max(right - left, top - bottom) / 2;
    return { x: (left + right) / 2, y: (bottom + top) / 2, half: half > 0 ? half * 1.15 : 1 };
  }

  /** Between two views, t from 0 to 1. */
  const between = (a, b, t) => ({ x: a.x + t * (b.x - a.x), y: a.y + t * (b.y - a.y), half: a.half * (b.half / a.half) ** t });

  class Surface {
    constructor(canvas) {
      this.canvas = canvas;
      this.view = { x: 0, y: 0, half: 1 };
    }

    /** Clear the canvas; returns its context. */
    begin() {
      const { context, width, height } = Core.sharpen(this.canvas);
      this.width = width;
      this.height = height;
      this.scale = Math.min(width, height) / (2 * this.view.half);
      return context;
    }

    toX(x) {
      return this.width / 2 + (x - this.view.x) * this.scale;
    }

    toY(y) {
      return this.height / 2 - (y - this.view.y) * this.scale;
    }

    /** The point of the plane under a pixel of the canvas. */
    from(px, py) {
      return [this.view.x + (px - this.width / 2) / this.scale, this.view.y - (py - this.height / 2) / this.scale];
    }

    /** Round numbers across and up that are within the canvas. */
    ticks() {
      const count = Math.max(3, Math.round(this.width / 110));
      const [left, top] = this.from(0, 0);
      const [right, bottom] = this.from(this.width, this.height);
      return [Core.ticks(left, right, count), Core.ticks(bottom, top, count)];
    }

    /** Grid lines, those of zero darker. */
    grid(context) {
      const [across, up] = this.ticks();
      const line = (x0, y0, x1, y1, value) => {
        context.strokeStyle = Core.color(value === 0 ? "--axis" : "--grid");
        context.beginPath();
        context.moveTo(x0, y0);
        context.lineTo(x1, y1);
        context.stroke();
      };
      context.lineWidth = 1;
      for (const { value } of across) line(Math.round(this.toX(value)) + 0.5, 0, Math.round(this.toX(value)) + 0.5, this.height, value);
      for (const { value } of up) line(0, Math.round(this.toY(value)) + 0.5, this.width, Math.round(this.toY(value)) + 0.5, value);
    }

    /** A name at the median of some of the points [x0, y0, x1, y1, ...], readable over anything. */
    name(context, name, points, members) {
      if (!members.length) return;
      const x = this.toX(Core.quantile(members.map((i) => points[2 * i]), 0.5));
      const y = this.toY(Core.quantile(members.map((i) => points[2 * i + 1]), 0.5)) + 5;
      context.font = "700 16px system-ui, sans-serif";
      context.textAlign = "center";
      context.lineWidth = 4;
      context.lineJoin = "round";
      context.strokeStyle = Core.color("--card");
      context.strokeText(name, x, y);
      context.fillStyle = Core.color("--ink");
      context.fillText(name, x, y);
    }

    /** A cross in a ring around a point of the plane, visible over anything. */
    cross(context, x, y) {
      const [px, py] = [this.toX(x), this.toY(y)];
      [context.lineWidth, context.strokeStyle] = [4, Core.color("--card")];
      for (const pass of [0, 1]) {
        context.beginPath();
        context.arc(px, py, 8, 0, 2 * Math.PI);
        for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
          context.moveTo(px + 4 * dx, py + 4 * dy);
          context.lineTo(px + 13 * dx, py + 13 * dy);
        }
        context.stroke();
        if (pass === 0) [context.lineWidth, context.strokeStyle] = [1.6, Core.color("--ink")];
      }
    }

    /** The numbers of the grid along the left and lower edge, and the axes' names, readable over anything. */
    numbers(context) {
      const [across, up] = this.ticks();
      context.font = "11px system-ui, sans-serif";
      context.lineJoin = "round";
      const write = (text, x, y, align) => {
        context.textAlign = align;
        context.lineWidth = 3;
        context.strokeStyle = Core.color("--card");
        context.strokeText(text, x, y);
        context.fillStyle = Core.color("--subdued");
        context.fillText(text, x, y);
      };
      const plain = ({ value, digits }) => (Math.abs(value) < 1e-12 ? "0" : Core.show(value, digits));
      for (const tick of across) {
        const at = this.toX(tick.value);
        if (at > 30 && at < this.width - 40) write(plain(tick), at, this.height - 6, "center");
      }
      for (const tick of up) {
        const at = this.toY(tick.value);
        if (at > 30 && at < this.height - 24) write(plain(tick), 5, at - 3, "left");
      }
      write("z₁", this.width - 8, this.height - 6, "right");
      write("z₂", 5, 14, "left");
    }
  }

  const SHARE = 0.12; // of the plane's width: a trail of full length

  /** The 95 % quantile of gradients [x0, y0, x1, y1, ...] in nats per width of the plane: scale and zoom do not matter. */
  function strength(gradients, half) {
    const sizes = [];
    for (let i = 0; i < gradients.length; i += 2) sizes.push(Math.hypot(gradients[i], gradients[i + 1]) * 2 * half);
    return Core.quantile(sizes, 0.95);
  }

  /**
   * The strength that draws a trail of full length at one moment: lengths are true to each other within a moment; between
   * moments they are compressed, for gradients fall a thousandfold in training. `most` is the largest strength of all.
   */
  const full = (own, most) => own ** 0.7 * most ** 0.3 || 1;

  /** The trail of a code, in units of the code: from the code along -dL/dz, at most twice the full length. */
  function trail(gx, gy, half, fullStrength) {
    const size = Math.hypot(gx, gy);
    if (size === 0) return [0, 0];
    const length = Math.min((size * 2 * half) / fullStrength, 2) * SHARE * 2 * half;
    return [(-gx / size) * length, (-gy / size) * length];
  }

  /** Give every moment with gradients the strength of its full trails. */
  function scaleTrails(moments) {
    const own = moments.map((m) => (m.strength ??= m.gradients ? strength(m.gradients, m.half) : 0));
    const most = Math.max(...own);
    moments.forEach((moment, k) => (moment.full = full(own[k], most)));
  }

  return { fit, between, Surface, scaleTrails, trail };
})();
