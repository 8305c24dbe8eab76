// The second half of the page: a shape in space, its code on a plane, its reconstruction in space; one point lights up in all three.
"use strict";

const Shapes = (() => {
  const { byId, show } = Core;
  const LIVE_EVERY = 10; // steps between the moments of a training in the page
  const LIVE_STEPS = 4000;
  const TWEEN = 160;

  class View {
    /** shapes: [{name, points, history}, ...] as shapes_data wrote them. */
    constructor(shapes) {
      this.shapes = shapes.map(({ name, points, history }) => ({ name, points: rows(Core.unpack(points), 3), recorded: recorded(history) }));
      this.turn = { yaw: 0.6, pitch: 0.45 };
      this.input = new Cube.Space(byId("shape-input"), this.turn);
      this.output = new Cube.Space(byId("shape-output"), this.turn);
      this.surface = new Plane.Surface(byId("shape-code"));
      this.chosen = -1;
      this.live = false;
      this.seed = 1;
      this.stop = () => {};
      this.buildControls();
      this.pick(0);
      const canvases = ["shape-input", "shape-code", "shape-output", "shape-loss"].map(byId);
      Core.redrawWith(canvases, () => this.refresh());
    }

    // --- controls ---------------------------------------------------------------------------------------------

    buildControls() {
      this.shapes.forEach(({ name }, i) => byId("shape-names").append(radio("shape", name, i === 0, () => this.pick(i))));
      byId("shape-source").append(
        radio("source", "recorded", true, () => this.begin(false)),
        radio("source", "train here", false, () => this.begin(true)));
      this.player = new Timeline.Player(byId("shape-play"), { name: "the training of the shape", step: (first) => this.playOn(first) });
      byId("shape-reset").addEventListener("click", () => {
        if (this.live) this.seed += 1;
        this.begin(this.live);
        if (!this.live) this.go(0);
      });
      byId("shape-moment").addEventListener("input", (event) => {
        this.player.set(false);
        this.go(Number(event.target.value));
      });
      byId("shape-point").max = String(this.shapes[0].points.length);
      byId("shape-point").addEventListener("input", (event) => this.choose(Number(event.target.value) - 1));
      for (const space of [this.input, this.output]) space.listen((i) => this.choose(i), (a, b) => this.rotate(a, b));
      this.listenPlane();
    }

    listenPlane() {
      const { canvas } = this.surface;
      const seek = (event) => this.choose(Cube.nearest(this.places(), ...place(canvas, event)));
      canvas.addEventListener("pointermove", seek);
      canvas.addEventListener("pointerdown", seek);
      canvas.addEventListener("keydown", (event) => {
        const steps = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 };
        if (!(event.key in steps)) return;
        event.preventDefault();
        const { length } = this.shape.points;
        this.choose((Math.max(this.chosen, 0) + (this.chosen < 0 ? 0 : steps[event.key]) + length) % length);
      });
    }

    rotate(yaw, pitch) {
      this.turn.yaw += yaw;
      this.turn.pitch = Math.min(1.5, Math.max(-1.5, this.turn.pitch + pitch));
      this.refresh();
    }

    choose(index) {
      if (index === this.chosen) return;
      this.chosen = index;
      byId("shape-point").value = String(index + 1);
      this.refresh();
    }

    // --- time -------------------------------------------------------------------------------------------------

    pick(index) {
      this.shape = this.shapes[index];
      this.chosen = -1;
      this.begin(this.live);
    }

    /** Show the recorded training, at its end, or a fresh network of the page's own, at its start. */
    begin(live) {
      this.live = live;
      this.player.set(false);
      this.stop();
      this.net = live ? new Toy.Net(this.shape.points, { seed: this.seed }) : null;
      this.moments = live ? [] : this.shape.recorded;
      if (live) this.look();
      this.index = this.moments.length - 1;
      this.setScale();
      this.settle();
      byId("shape-reset").textContent = live ? "New weights" : "To the start";
    }

    /** Add the network's present state to the moments. */
    look() {
      const { codes, codeGrads, outputs, error } = this.net.backward();
      this.moments.push(moment(this.net.steps, rows(codes, 2), rows(codeGrads, 2), rows(outputs, 3), error / 3));
      this.setScale();
    }

    setScale() {
      Plane.scaleTrails(this.moments);
      byId("shape-moment").max = String(this.moments.length - 1);
    }

    playOn(first) {
      const last = this.moments.length - 1;
      if (this.live && this.index === last) {
        if (this.net.steps >= LIVE_STEPS) return null;
        for (let k = 0; k < LIVE_EVERY; k++) this.net.step();
        this.look();
        this.index = last + 1;
        this.settle();
        return 0;
      }
      if (this.index === last && !first) return null;
      this.go(this.index === last ? 0 : this.index + 1);
      return this.live ? 0 : TWEEN;
    }

    go(index) {
      this.stop();
      const from = this.shown;
      const before = { ...this.surface.view };
      const to = this.moments[index];
      this.index = index;
      this.stop = Core.animate(this.live && this.player.playing ? 0 : TWEEN, (t) => {
        this.shown = { codes: mix(from.codes, to.codes, t), outputs: mix(from.outputs, to.outputs, t) };
        this.surface.view = Plane.between(before, to.view, t);
        this.refresh();
      });
    }

    /** Stand at the present moment without a way to it. */
    settle() {
      const { codes, outputs, view } = this.moments[this.index];
      this.shown = { codes, outputs };
      this.surface.view = { ...view };
      this.refresh();
    }

    // --- drawing ----------------------------------------------------------------------------------------------

    refresh() {
      if (this.pending) return;
      this.pending = true;
      requestAnimationFrame(() => {
        this.pending = false;
        this.draw();
      });
    }

    draw() {
      const { points } = this.shape;
      const [low, high] = Core.dark() ? [0.25, 1] : [0, 0.85];
      const colors = points.map((_, i) => Core.ramp(low + ((high - low) * i) / (points.length - 1)));
      const style = { colors, chosen: this.chosen };
      this.input.draw(points, style);
      this.output.draw(this.shown.outputs, style);
      this.drawCode(colors);
      const now = this.moments[this.index];
      Timeline.drawLoss(byId("shape-loss"), [{ values: this.moments.map((m) => m.loss), color: Core.color("--accent") }], this.index);
      byId("shape-moment").value = String(this.index);
      byId("shape-out").textContent = `step ${now.step.toLocaleString("en")} · mean squared error ${now.loss.toPrecision(2).replace("e-", "e−")}`;
      byId("shape-moment").setAttribute("aria-valuetext", byId("shape-out").textContent);
      byId("shape-point-out").textContent = this.chosen < 0 ? "none" : this.describe(now);
      byId("shape-point").setAttribute("aria-valuetext", byId("shape-point-out").textContent);
    }

    describe({ codes, outputs }) {
      const list = (values) => `(${values.map((v) => show(v)).join(", ")})`;
      const i = this.chosen;
      return `${i + 1}: ${list(this.shape.points[i])} → ${list(codes[i])} → ${list(outputs[i])}`;
    }

    places() {
      return this.shown.codes.map(([x, y]) => ({ x: this.surface.toX(x), y: this.surface.toY(y) }));
    }

    drawCode(colors) {
      const context = this.surface.begin();
      this.surface.grid(context);
      const places = this.places();
      Cube.thread(context, places, this.shown.codes);
      const { gradients, half, full } = this.moments[this.index];
      context.lineWidth = 2.2;
      context.lineCap = "round";
      if (byId("shape-trails").checked)
        places.forEach(({ x, y }, i) => {
          const [dx, dy] = Plane.trail(gradients[2 * i], gradients[2 * i + 1], half, full);
          context.strokeStyle = colors[i];
          context.globalAlpha = 0.75;
          context.beginPath();
          context.moveTo(x, y);
          context.lineTo(x + dx * this.surface.scale, y - dy * this.surface.scale);
          context.stroke();
        });
      context.globalAlpha = 1;
      places.forEach(({ x, y }, i) => Cube.dot(context, x, y, 4.5, colors[i], i === this.chosen));
      this.surface.numbers(context);
    }
  }

  /** Where a pointer is on a canvas. */
  function place(canvas, event) {
    const box = canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  function radio(group, name, checked, choose) {
    const label = document.createElement("label");
    const input = document.createElement("input");
    Object.assign(input, { type: "radio", name: group, value: name, checked });
    input.addEventListener("change", choose);
    label.append(input, name);
    return label;
  }

  /** A flat list cut into rows. */
  function rows(flat, width) {
    return Array.from({ length: flat.length / width }, (_, i) => Array.from(flat.subarray(i * width, (i + 1) * width)));
  }

  const mix = (a, b, t) => a.map((row, i) => row.map((v, k) => v + t * (b[i][k] - v)));

  function moment(step, codes, gradients, outputs, loss) {
    const view = Plane.fit(codes.flat());
    return { step, codes, gradients: gradients.flat(), outputs, loss, view, half: view.half };
  }

  function recorded({ moments, codes, gradients, outputs, losses }) {
    const [z, g, x] = [codes, gradients, outputs].map(Core.unpack);
    const num = codes.shape[1];
    return moments.map((step, k) =>
      moment(step, rows(z.subarray(k * num * 2, (k + 1) * num * 2), 2), rows(g.subarray(k * num * 2, (k + 1) * num * 2), 2),
        rows(x.subarray(k * num * 3, (k + 1) * num * 3), 3), losses[k]));
  }

  return { View };
})();
