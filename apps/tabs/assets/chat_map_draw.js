// Draws the map beside the chat: dots, the trail and its neighbours, what is pointed at, and what colors and shapes mean.
"use strict";

const ChatDraw = (() => {
  // Apart from each other for most eyes, and by shape for all; 4.5 : 1 and more against the card, light and dark.
  const LIGHT = ["#b4430f", "#1d63b8", "#6b3fa0", "#566274"];
  const DARK = ["#ff9d5c", "#6cb6ff", "#c9a3ff", "#9ba9bb"];
  const SHAPES = ["circle", "square", "triangle", "diamond"];
  const PREFERRED = { past: 0, present: 1, future: 2, other: 3, negative: 0, positive: 1 };

  class Painter {
    /** view: the map's `View`. */
    constructor(view) {
      this.view = view;
    }

    style(name, k) {
      const index = PREFERRED[name] ?? k % 4;
      return { color: (Core.dark() ? DARK : LIGHT)[index], shape: SHAPES[index] };
    }

    /** What colors and shapes mean. */
    keys() {
      const values = this.view.map.values[this.view.part("colors").value];
      this.view.part("keys").replaceChildren(
        ...(values ? values.names : []).map((name, k) => {
          const key = document.createElement("span");
          const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
          svg.setAttribute("viewBox", "-6 -6 12 12");
          const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
          const { color, shape } = this.style(name, k);
          path.setAttribute("d", { circle: "M-5 0a5 5 0 1 0 10 0a5 5 0 1 0-10 0z", square: "M-4.5-4.5h9v9h-9z", triangle: "M0-5L5 4.5H-5z", diamond: "M0-6L5 0L0 6L-5 0z" }[shape]);
          path.setAttribute("fill", color);
          svg.append(path);
          key.append(svg, name);
          return key;
        }),
      );
    }

    draw() {
      const canvas = this.view.part("canvas");
      if (!canvas.clientWidth) return;
      const context = this.view.surface.begin();
      const values = this.view.map.values[this.view.part("colors").value];
      if (this.shaded !== Core.dark()) {
        this.shaded = Core.dark();
        this.keys();
      }
      this.view.surface.grid(context);
      const faint = this.view.hits.size > 0;
      this.view.map.points.forEach(([x, y], i) => {
        const { color, shape } = values ? this.style(values.names[values.of[i]], values.of[i]) : { color: Core.color("--subdued"), shape: "circle" };
        context.globalAlpha = faint && !this.view.hits.has(i) ? 0.18 : 0.85;
        context.fillStyle = color;
        this.dot(context, x, y, shape, this.view.hits.has(i) ? 5.5 : 4);
      });
      context.globalAlpha = 1;
      this.neighbours(context);
      this.trail(context);
      this.label(context);
    }

    dot(context, x, y, shape, r) {
      const [px, py] = [this.view.surface.toX(x), this.view.surface.toY(y)];
      context.beginPath();
      if (shape === "circle") context.arc(px, py, r, 0, 2 * Math.PI);
      else if (shape === "square") context.rect(px - r * 0.88, py - r * 0.88, r * 1.76, r * 1.76);
      else {
        const corners = shape === "triangle" ? [[0, -1.15], [1.05, 0.8], [-1.05, 0.8]] : [[0, -1.3], [1.1, 0], [0, 1.3], [-1.1, 0]];
        corners.forEach(([a, b], k) => (k ? context.lineTo(px + a * r, py + b * r) : context.moveTo(px + a * r, py + b * r)));
        context.closePath();
      }
      context.fill();
    }

    /** Lines from where one stands to what lies nearest in all dimensions. */
    neighbours(context) {
      const last = this.view.walk.trail.at(-1);
      context.strokeStyle = Core.color("--second");
      context.lineWidth = 1.5;
      for (const i of this.view.walk.near) {
        const [x, y] = this.view.map.points[i];
        if (last) {
          context.globalAlpha = 0.45;
          context.beginPath();
          context.moveTo(this.view.surface.toX(last[0]), this.view.surface.toY(last[1]));
          context.lineTo(this.view.surface.toX(x), this.view.surface.toY(y));
          context.stroke();
          context.globalAlpha = 1;
        }
        context.beginPath();
        context.arc(this.view.surface.toX(x), this.view.surface.toY(y), 8, 0, 2 * Math.PI);
        context.stroke();
      }
    }

    trail(context) {
      const points = this.view.walk.trail.map(([x, y]) => [this.view.surface.toX(x), this.view.surface.toY(y)]);
      context.strokeStyle = context.fillStyle = Core.color("--accent");
      context.lineJoin = "round";
      for (let k = 1; k < points.length; k++) {
        context.globalAlpha = 0.35 + (0.65 * k) / points.length; // the older the fainter
        context.lineWidth = 2.5;
        context.beginPath();
        context.moveTo(...points[k - 1]);
        context.lineTo(...points[k]);
        context.stroke();
      }
      context.globalAlpha = 1;
      context.textAlign = "center";
      context.textBaseline = "middle";
      context.font = "600 10px system-ui, sans-serif";
      points.forEach(([px, py], k) => {
        const here = k === points.length - 1;
        context.fillStyle = here ? Core.color("--accent") : Core.color("--card");
        context.strokeStyle = Core.color("--accent");
        context.lineWidth = 2;
        context.beginPath();
        context.arc(px, py, here ? 10 : 8, 0, 2 * Math.PI);
        context.fill();
        context.stroke();
        context.fillStyle = here ? Core.color("--accent-ink") : Core.color("--ink");
        context.fillText(String(k + 1), px, py + 0.5);
      });
      context.textBaseline = "alphabetic";
    }

    /** The sentence that is pointed at, and the cross of the keyboard. */
    label(context) {
      const last = this.view.walk.trail.at(-1);
      const shown = this.view.pointed?.sentence ? this.view.pointed : !this.view.pointed && last ? { x: last[0], y: last[1], sentence: last[2] } : null;
      if (this.view.cross) {
        const [px, py] = [this.view.surface.toX(this.view.cross[0]), this.view.surface.toY(this.view.cross[1])];
        context.strokeStyle = Core.color("--ink");
        context.lineWidth = 1.5;
        context.beginPath();
        for (const [a, b] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
          context.moveTo(px + a * 4, py + b * 4);
          context.lineTo(px + a * 13, py + b * 13);
        }
        context.stroke();
      }
      if (!shown) return;
      context.font = "13px system-ui, sans-serif";
      context.textAlign = "left";
      let text = shown.sentence;
      while (text.length > 8 && context.measureText(text).width > this.view.surface.width - 24) text = `${text.slice(0, -2).trimEnd()}…`;
      const width = context.measureText(text).width;
      const left = Math.min(Math.max(this.view.surface.toX(shown.x) - width / 2, 10), this.view.surface.width - width - 10);
      const above = this.view.surface.toY(shown.y) - 20;
      const top = above > 16 ? above : this.view.surface.toY(shown.y) + 28;
      context.fillStyle = Core.color("--card");
      context.strokeStyle = Core.color("--border");
      context.lineWidth = 1;
      context.beginPath();
      context.roundRect(left - 7, top - 15, width + 14, 22, 6);
      context.fill();
      context.stroke();
      context.fillStyle = Core.color("--ink");
      context.fillText(text, left, top);
    }
  }

  return { Painter };
})();
