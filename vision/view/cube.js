// Points in space on a canvas: a turning box in perspective, the nearer points larger; says which point is under a pixel.
"use strict";

const Cube = (() => {
  const CORNERS = [0, 1, 2, 3, 4, 5, 6, 7].map((k) => [k & 1, (k >> 1) & 1, (k >> 2) & 1]);
  const EDGES = CORNERS.flatMap((a, i) => CORNERS.map((b, j) => [i, j, Math.abs(a[0] - b[0]) + Math.abs(a[1] - b[1]) + Math.abs(a[2] - b[2])]))
    .filter(([i, j, apart]) => i < j && apart === 1);
  const NEAR = 20; // pixels within which a point is meant

  class Space {
    /** turn: {yaw, pitch} in radians, shared by all views that turn together. */
    constructor(canvas, turn) {
      this.canvas = canvas;
      this.turn = turn;
      this.places = [];
    }

    /** Where a point of the unit box is drawn: pixels, and how near it is (1 in the middle). */
    project([x, y, z]) {
      const [a, b, c] = [x - 0.5, y - 0.5, z - 0.5];
      const { yaw, pitch } = this.turn;
      const across = a * Math.cos(yaw) - b * Math.sin(yaw);
      const away = a * Math.sin(yaw) + b * Math.cos(yaw);
      const up = c * Math.cos(pitch) - away * Math.sin(pitch);
      const depth = away * Math.cos(pitch) + c * Math.sin(pitch);
      const near = 3 / (3 + depth);
      const size = Math.min(this.width, this.height) * 0.56;
      return { x: this.width / 2 + across * near * size, y: this.height / 2 - up * near * size, near };
    }

    /**
     * points: [[x, y, z], ...]; the chosen one, by its index, is ringed.
     * ordered: whether a line runs through them. sheet: a square grid of points, row by row, drawn as a net behind them.
     * ghost: one more point, ringed only.
     */
    draw(points, { colors, chosen, ordered = true, sheet = null, ghost = null }) {
      const { context, width, height } = Core.sharpen(this.canvas);
      this.width = width;
      this.height = height;
      const corners = CORNERS.map((corner) => this.project(corner));
      context.lineWidth = 1;
      for (const [i, j] of EDGES) {
        context.strokeStyle = Core.color(corners[i].near + corners[j].near > 2 ? "--axis" : "--grid");
        context.beginPath();
        context.moveTo(corners[i].x, corners[i].y);
        context.lineTo(corners[j].x, corners[j].y);
        context.stroke();
      }
      context.font = "11px system-ui, sans-serif";
      context.fillStyle = Core.color("--subdued");
      context.textAlign = "center";
      [[0.5, -0.12, 0, "x"], [-0.12, 0.5, 0, "y"], [-0.1, -0.1, 0.5, "z"]].forEach(([x, y, z, name]) => {
        const at = this.project([x, y, z]);
        context.fillText(name, at.x, at.y + 4);
      });
      this.places = points.map((point) => this.project(point));
      if (sheet) this.net(context, sheet);
      if (ordered) thread(context, this.places, points);
      const order = this.places.map((_, i) => i).sort((i, j) => this.places[i].near - this.places[j].near);
      for (const i of order) dot(context, this.places[i].x, this.places[i].y, 5 * this.places[i].near ** 2, colors[i], i === chosen);
      if (ghost) {
        const { x, y } = this.project(ghost);
        context.lineWidth = 2;
        context.strokeStyle = Core.color("--ink");
        context.beginPath();
        context.arc(x, y, 7, 0, 2 * Math.PI);
        context.stroke();
      }
    }

    /** Lines along the rows and the columns of a square grid of points. */
    net(context, sheet) {
      const side = Math.round(Math.sqrt(sheet.length));
      const places = sheet.map((point) => this.project(point));
      context.strokeStyle = Core.color("--axis");
      context.globalAlpha = 0.75;
      context.lineWidth = 1;
      context.beginPath();
      for (let a = 0; a < side; a++)
        for (let b = 0; b < side; b++) {
          const [along, across] = [places[a * side + b], places[b * side + a]];
          if (b) context.lineTo(along.x, along.y);
          else context.moveTo(along.x, along.y);
          if (!b) continue;
          const before = places[(b - 1) * side + a];
          context.moveTo(before.x, before.y);
          context.lineTo(across.x, across.y);
          context.moveTo(along.x, along.y);
        }
      context.stroke();
      context.globalAlpha = 1;
    }

    /** The point under a pixel, or -1. */
    at(px, py) {
      return nearest(this.places, px, py);
    }

    /** The pointer chooses points by their index, and turns the box where it drags; so do the arrow keys. */
    listen(choose, rotate) {
      const { canvas } = this;
      let from = null;
      const under = ({ clientX, clientY }) => {
        const box = canvas.getBoundingClientRect();
        return this.at(clientX - box.left, clientY - box.top);
      };
      canvas.addEventListener("pointerdown", (event) => {
        from = [event.clientX, event.clientY];
        canvas.setPointerCapture(event.pointerId);
        choose(under(event));
      });
      canvas.addEventListener("pointermove", (event) => {
        if (from && event.buttons) {
          rotate((event.clientX - from[0]) / 120, (event.clientY - from[1]) / 120);
          from = [event.clientX, event.clientY];
        } else choose(under(event));
      });
      for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, () => (from = null));
      canvas.addEventListener("keydown", (event) => {
        const turns = { ArrowLeft: [-0.12, 0], ArrowRight: [0.12, 0], ArrowUp: [0, -0.12], ArrowDown: [0, 0.12] };
        if (!(event.key in turns)) return;
        event.preventDefault();
        rotate(...turns[event.key]);
      });
    }
  }

  /** A faint line through points in their order, closed where the ends are near. */
  function thread(context, places, points) {
    const gaps = points.map((p, i) => Math.hypot(...p.map((v, k) => v - points[(i + 1) % points.length][k])));
    const usual = Core.quantile(gaps, 0.5);
    context.strokeStyle = Core.color("--thread");
    context.lineWidth = 1.5;
    context.beginPath();
    places.forEach(({ x, y }, i) => (i ? context.lineTo(x, y) : context.moveTo(x, y)));
    if (gaps[gaps.length - 1] < 3 * usual) context.closePath();
    context.stroke();
  }

  function dot(context, x, y, radius, color, chosen) {
    context.beginPath();
    context.arc(x, y, chosen ? radius + 2.5 : radius, 0, 2 * Math.PI);
    context.fillStyle = color;
    context.fill();
    context.lineWidth = chosen ? 2.5 : 1;
    context.strokeStyle = Core.color(chosen ? "--ink" : "--card");
    context.stroke();
  }

  /** The place nearest to a pixel, if it is near enough to be meant; else -1. */
  function nearest(places, px, py) {
    let best = -1;
    let least = NEAR;
    places.forEach(({ x, y }, i) => {
      const away = Math.hypot(x - px, y - py);
      if (away < least) [best, least] = [i, away];
    });
    return best;
  }

  return { Space, thread, dot, nearest };
})();
