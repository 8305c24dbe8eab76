// The playground: an autoencoder and a variational one learn the same points in space, live, in the visitor's browser.
"use strict";

const Playground = (() => {
  const { show } = Core;
  const EVERY = 5; // steps between two moments of the history, and at most in one frame
  const FRAME = 11; // milliseconds of training in a frame; the rest is for drawing
  const ROUND = 3000; // steps of one press of "play"
  const MOST = 500; // moments that are kept; beyond, every second one is dropped
  const SIDE = 11; // rows of the decoded net
  const TWEEN = 160;
  const NAMES = ["AE", "VAE"];
  const COLORS = ["--accent", "--second"];
  const OWN = "your own curve";
  const RATES = [0.001, 0.003, 0.01, 0.03, 0.1];
  const HIDDEN = [
    [[32, 32], "32, 32"], [[8, 8], "8, 8"], [Toy.ARTICLE, "64, 64, 2 (the article's)"], [[64], "64"], [[], "none: linear"],
  ];

  /** The weight of KL at a notch of the slider: 0, then from 1e-5 to 1 in even ratios. */
  const weightAt = (notch) => (notch === 0 ? 0 : 10 ** (-5 + (5 * (notch - 1)) / 24));
  const START = { rate: 2, activation: "tanh", hidden: 0, weight: 11, shape: "roller" };

  class View {
    constructor(root) {
      this.root = root;
      this.part = (name) => root.querySelector(`[data-part="${name}"]`);
      Core.usePalette(root);
      this.turn = { yaw: 0.6, pitch: 0.45 };
      this.input = new Cube.Space(this.part("input"), this.turn);
      this.outputs = [0, 1].map((k) => new Cube.Space(this.part(`output-${k}`), this.turn));
      this.surfaces = [0, 1].map((k) => new Plane.Surface(this.part(`code-${k}`)));
      this.chosen = -1;
      this.ghost = null; // {net, code}: a place of the plane under the pointer, where no point is
      this.seed = 1;
      this.own = null;
      this.stop = () => {};
      this.buildControls();
      this.pick(START.shape);
      const canvases = ["input", "pad", "loss", "code-0", "code-1", "output-0", "output-1"].map(this.part);
      Core.redrawWith(canvases, () => this.refresh());
      if (!Core.calm()) this.player.set(true);
    }

    // --- controls ---------------------------------------------------------------------------------------------

    buildControls() {
      const { part } = this;
      const group = `shape-${Math.random().toString(36).slice(2)}`;
      for (const name of [...Object.keys(Points.SHAPES), OWN]) part("shapes").append(chip(group, name, name === START.shape, () => this.pick(name)));
      RATES.forEach((rate, i) => part("rate").add(new Option(String(rate), String(i), i === START.rate, i === START.rate)));
      for (const name of Toy.ACTIVATIONS) part("activation").add(new Option(name.replace("_", " "), name, name === START.activation, name === START.activation));
      HIDDEN.forEach(([, name], i) => part("hidden").add(new Option(name, String(i))));
      part("weight").value = String(START.weight);
      part("rate").addEventListener("change", () => this.tune());
      part("weight").addEventListener("input", () => this.tune());
      for (const name of ["activation", "hidden"]) part(name).addEventListener("change", () => this.begin());
      this.player = new Timeline.Player(part("play"), { name: "the training", step: (first) => this.playOn(first) });
      part("step").addEventListener("click", () => this.stepOnce());
      part("reset").addEventListener("click", () => {
        this.seed += 1;
        this.begin();
      });
      part("moment").addEventListener("input", (event) => {
        this.player.set(false);
        this.go(Number(event.target.value));
      });
      for (const name of ["trails", "sheet"]) part(name).addEventListener("change", () => this.refresh());
      part("point").addEventListener("input", (event) => this.choose(Number(event.target.value) - 1));
      part("again").addEventListener("click", () => this.pick(OWN, true));
      for (const space of [this.input, ...this.outputs]) space.listen((i) => this.choose(i), (a, b) => this.rotate(a, b));
      this.surfaces.forEach((surface, k) => this.listenPlane(surface, k));
      this.listenPad();
    }

    listenPlane(surface, k) {
      const { canvas } = surface;
      const seek = (event) => {
        const at = place(canvas, event);
        const found = Cube.nearest(this.places(k), ...at);
        this.ghost = found < 0 ? { net: k, code: surface.from(...at) } : null;
        this.choose(found, true);
      };
      for (const name of ["pointermove", "pointerdown"]) canvas.addEventListener(name, seek);
      canvas.addEventListener("pointerleave", () => {
        this.ghost = null;
        this.refresh();
      });
      canvas.addEventListener("keydown", (event) => {
        const steps = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 };
        if (!(event.key in steps)) return;
        event.preventDefault();
        const { length } = this.points;
        this.choose((Math.max(this.chosen, 0) + (this.chosen < 0 ? 0 : steps[event.key]) + length) % length);
      });
    }

    listenPad() {
      const canvas = this.part("pad");
      const add = (event) => {
        const [x, y] = place(canvas, event);
        this.drawn.push([x / canvas.clientWidth, (canvas.clientHeight - y) / canvas.clientWidth]);
        this.refresh();
      };
      canvas.addEventListener("pointerdown", (event) => {
        canvas.setPointerCapture(event.pointerId);
        this.drawn = [];
        add(event);
      });
      canvas.addEventListener("pointermove", (event) => {
        if (event.buttons && this.drawn.length) add(event);
      });
      canvas.addEventListener("pointerup", () => {
        const points = Points.fromDrawing(this.drawn);
        this.drawn = [];
        this.part("alert").textContent = points ? "" : "That was too short to be a curve: draw a longer line.";
        if (!points) return this.refresh();
        this.own = points;
        this.pick(OWN);
        this.player.set(true);
      });
      canvas.addEventListener("pointercancel", () => {
        this.drawn = [];
        this.refresh();
      });
    }

    rotate(yaw, pitch) {
      this.turn.yaw += yaw;
      this.turn.pitch = Math.min(1.5, Math.max(-1.5, this.turn.pitch + pitch));
      this.refresh();
    }

    choose(index, moved = false) {
      if (index === this.chosen && !moved) return;
      if (!moved) this.ghost = null;
      this.chosen = index;
      this.part("point").value = String(index + 1);
      this.refresh();
    }

    // --- training ---------------------------------------------------------------------------------------------

    /** Take a shape by its name; one's own is drawn first, or anew. */
    pick(name, anew = false) {
      const own = name === OWN;
      const drawing = own && (anew || !this.own);
      this.drawn = [];
      this.part("pad").hidden = !drawing;
      this.part("input").hidden = drawing;
      this.part("again").hidden = !own || drawing;
      this.part("alert").textContent = "";
      this.part("source-name").textContent = drawing ? "Draw a curve here: it goes from front to back" : "Input, 3-D";
      if (drawing) {
        this.player.set(false);
        this.refresh();
        return;
      }
      this.points = own ? this.own : Points.SHAPES[name].points();
      this.ordered = own || Points.SHAPES[name].ordered;
      this.part("point").max = String(this.points.length);
      this.chosen = -1;
      this.begin();
    }

    /** Two new networks for the present points and settings; what was playing plays on. */
    begin() {
      this.stop();
      this.ghost = null;
      const options = { hidden: HIDDEN[Number(this.part("hidden").value)][0], activation: this.part("activation").value, seed: this.seed };
      this.nets = [false, true].map((variational) => new Toy.Net(this.points, { ...options, variational }));
      this.tune();
      this.moments = [];
      this.until = ROUND;
      this.look();
      this.settle();
    }

    /** Learning rate and weight of KL take effect at once, in the middle of a training too. */
    tune() {
      const notch = Number(this.part("weight").value);
      const weight = weightAt(notch);
      const text = weight === 0 ? "0" : String(Number(weight.toPrecision(2)));
      this.part("weight-out").textContent = text;
      this.part("weight").setAttribute("aria-valuetext", text);
      for (const net of this.nets) {
        net.rate = RATES[Number(this.part("rate").value)];
        net.klWeight = net.variational ? weight : 0;
      }
    }

    /** Add the networks' present state to the history, and stand there. */
    look() {
      const kept = this.nets.map((net) => {
        const { means, sigmas, codeGrads, outputs, error, kl } = net.backward();
        const view = Plane.fit(means);
        return {
          codes: rows(means, 2), sigmas: sigmas && rows(sigmas, 2), gradients: codeGrads, outputs: rows(outputs, 3),
          error: error / 3, kl, view, half: view.half, sheet: rows(net.decode(grid(view)), 3),
        };
      });
      if (this.moments.length > MOST) this.moments = this.moments.filter((_, i) => i % 2 === 0);
      this.moments.push({ step: this.nets[0].steps, nets: kept });
      for (const k of [0, 1]) Plane.scaleTrails(this.moments.map((moment) => moment.nets[k]));
      this.part("moment").max = String(this.moments.length - 1);
      this.index = this.moments.length - 1;
    }

    /** Whether the networks are further than the last moment. */
    get ahead() {
      return this.nets[0].steps > this.moments[this.moments.length - 1].step;
    }

    playOn(first) {
      if (!this.root.offsetParent) return 300; // another tab is open
      const { steps } = this.nets[0];
      if (first && steps >= this.until) this.until = steps + ROUND;
      if (steps >= this.until) return null;
      if (!first && !this.part("pad").hidden) return null;
      this.stop();
      const end = performance.now() + FRAME;
      do this.train();
      while (this.nets[0].steps % EVERY && performance.now() < end);
      if (this.nets[0].steps % EVERY === 0) {
        this.look();
        this.settle();
      }
      return 0;
    }

    train() {
      for (const net of this.nets) net.step();
    }

    stepOnce() {
      this.player.set(false);
      this.train();
      this.look();
      this.settle();
    }

    go(index) {
      this.stop();
      const from = this.shown;
      const before = this.surfaces.map(({ view }) => ({ ...view }));
      this.index = index;
      const to = this.moments[index].nets;
      this.stop = Core.animate(TWEEN, (t) => {
        this.shown = from.map((one, k) => Object.fromEntries(["codes", "outputs", "sheet"].map((name) => [name, mix(one[name], to[k][name], t)])));
        this.surfaces.forEach((surface, k) => (surface.view = Plane.between(before[k], to[k].view, t)));
        this.refresh();
      });
    }

    /** Stand at the present moment without a way to it. */
    settle() {
      this.shown = this.moments[this.index].nets;
      this.surfaces.forEach((surface, k) => (surface.view = { ...this.shown[k].view }));
      this.refresh();
    }

    // --- drawing ----------------------------------------------------------------------------------------------

    refresh() {
      if (this.pending) return;
      this.pending = true;
      requestAnimationFrame(() => {
        this.pending = false;
        if (this.root.offsetParent) this.draw();
      });
    }

    draw() {
      if (!this.part("pad").hidden) this.drawPad();
      const { points, chosen, ordered } = this;
      const [low, high] = Core.dark() ? [0.25, 1] : [0, 0.85];
      const colors = points.map((_, i) => Core.ramp(low + ((high - low) * i) / (points.length - 1)));
      const latest = this.index === this.moments.length - 1 && !this.ahead;
      if (this.part("pad").hidden) this.input.draw(points, { colors, chosen, ordered });
      this.shown.forEach(({ outputs, sheet }, k) => {
        const ghost = latest && this.ghost && this.ghost.net === k ? Array.from(this.nets[k].decode(this.ghost.code)) : null;
        this.outputs[k].draw(outputs, { colors, chosen, ordered, sheet: this.part("sheet").checked ? sheet : null, ghost });
        this.drawCode(k, colors);
      });
      this.drawNumbers();
    }

    drawNumbers() {
      const now = this.moments[this.index];
      const curves = COLORS.map((name, k) => ({ values: this.moments.map((moment) => moment.nets[k].error), color: Core.color(name) }));
      Timeline.drawLoss(this.part("loss"), curves, this.index);
      const text = (k) => `${NAMES[k]} error ${small(now.nets[k].error)}`;
      this.part("numbers").textContent = `Step ${now.step.toLocaleString("en")} · ${text(0)} · ${text(1)}, KL ${show(now.nets[1].kl)} nats`;
      this.part("moment").value = String(this.index);
      this.part("moment").setAttribute("aria-valuetext", this.part("numbers").textContent);
      const words = this.chosen < 0 ? "Point at a dot in any view, or slide: it lights up in all of them. Drag a cube to turn it." : this.describe(now.nets);
      if (this.part("point-out").textContent !== words) this.part("point-out").textContent = words;
      this.part("point").setAttribute("aria-valuetext", this.chosen < 0 ? "none" : words);
    }

    describe(nets) {
      const list = (values) => `(${Array.from(values, (v) => show(v)).join(", ")})`;
      const i = this.chosen;
      const ways = nets.map(({ codes, outputs }, k) => `${NAMES[k]} → ${list(codes[i])} → ${list(outputs[i])}`);
      return `Point ${i + 1}: ${list(this.points[i])} ${ways.join("; ")}`;
    }

    places(k) {
      const surface = this.surfaces[k];
      return this.shown[k].codes.map(([x, y]) => ({ x: surface.toX(x), y: surface.toY(y) }));
    }

    drawCode(k, colors) {
      const surface = this.surfaces[k];
      const context = surface.begin();
      surface.grid(context);
      const places = this.places(k);
      if (this.ordered) Cube.thread(context, places, this.shown[k].codes);
      const { gradients, half, full, sigmas } = this.moments[this.index].nets[k];
      if (sigmas) this.drawSigmas(context, surface, places, sigmas, colors);
      if (this.part("trails").checked) {
        context.lineWidth = 2.2;
        context.lineCap = "round";
        context.globalAlpha = 0.75;
        places.forEach(({ x, y }, i) => {
          const [dx, dy] = Plane.trail(gradients[2 * i], gradients[2 * i + 1], half, full);
          context.strokeStyle = colors[i];
          context.beginPath();
          context.moveTo(x, y);
          context.lineTo(x + dx * surface.scale, y - dy * surface.scale);
          context.stroke();
        });
        context.globalAlpha = 1;
      }
      places.forEach(({ x, y }, i) => Cube.dot(context, x, y, 4.5, colors[i], i === this.chosen));
      surface.numbers(context);
    }

    /** An ellipse of one standard deviation around each code. */
    drawSigmas(context, surface, places, sigmas, colors) {
      context.lineWidth = 1.2;
      places.forEach(({ x, y }, i) => {
        context.beginPath();
        context.ellipse(x, y, sigmas[i][0] * surface.scale, sigmas[i][1] * surface.scale, 0, 0, 2 * Math.PI);
        context.strokeStyle = colors[i];
        context.globalAlpha = i === this.chosen ? 0.9 : 0.35;
        context.stroke();
      });
      context.globalAlpha = 1;
    }

    drawPad() {
      const { context, width, height } = Core.sharpen(this.part("pad"));
      context.strokeStyle = Core.color("--axis");
      context.setLineDash([5, 5]);
      context.strokeRect(10, 10, width - 20, height - 20);
      context.setLineDash([]);
      context.strokeStyle = Core.color("--accent");
      context.lineWidth = 3;
      context.lineJoin = context.lineCap = "round";
      context.beginPath();
      this.drawn.forEach(([x, y], i) => (i ? context.lineTo(x * width, height - y * width) : context.moveTo(x * width, height - y * width)));
      context.stroke();
    }
  }

  /** The codes of a square net over a view of the plane, flat. */
  function grid({ x, y, half }) {
    const codes = [];
    for (let a = 0; a < SIDE; a++)
      for (let b = 0; b < SIDE; b++) codes.push(x + half * ((2 * b) / (SIDE - 1) - 1), y + half * ((2 * a) / (SIDE - 1) - 1));
    return codes;
  }

  /** Where a pointer is on a canvas. */
  function place(canvas, event) {
    const box = canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  function chip(group, name, checked, choose) {
    const label = document.createElement("label");
    label.className = "chip";
    const input = document.createElement("input");
    Object.assign(input, { type: "radio", name: group, value: name, checked });
    input.addEventListener("change", choose);
    label.append(input, name);
    return label;
  }

  const small = (value) => value.toPrecision(2).replace("e-", "e−");

  /** A flat list cut into rows. */
  const rows = (flat, width) => Array.from({ length: flat.length / width }, (_, i) => Array.from(flat.subarray(i * width, (i + 1) * width)));

  const mix = (a, b, t) => a.map((row, i) => row.map((v, k) => v + t * (b[i][k] - v)));

  return { View };
})();
