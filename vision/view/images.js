// The first half of the page: the 2-D code of images, what any point of the plane decodes to, and how codes moved in training.
"use strict";

const Images = (() => {
  const { byId, show } = Core;
  const TWEEN = 260; // milliseconds from one moment to the next

  class View {
    constructor(data) {
      this.data = data;
      this.network = new Decoder.Network(data.decoder);
      this.shape = data.decoder.shape;
      this.codes = Core.unpack(data.codes);
      this.num = this.codes.length / 2;
      this.labels = data.labels;
      this.members = data.names.map((_, label) => [...data.labels.keys()].filter((i) => data.labels[i] === label));
      this.hidden = new Set();
      this.choices = { category: 0, attributes: data.decoder.inputs.attributes.map(() => -1) };
      this.moments = this.readMoments();
      this.index = this.moments.length - 1;
      Plane.scaleTrails(this.moments);
      this.shown = Float64Array.from(this.codes);
      this.surface = new Plane.Surface(byId("plane"));
      this.surface.view = { ...this.moments[this.index].view };
      this.cursor = [...this.codes.subarray(0, 2)];
      this.stop = () => {};
      this.tiles = null;
      this.sprite = new Image();
      this.sprite.onload = () => this.paintNearest();
      this.sprite.src = data.sprite.source;
      this.buildControls();
      this.listen();
      Core.redrawWith([byId("plane"), byId("decoded"), byId("nearest"), byId("loss")], () => this.refresh());
    }

    /** The recorded moments, and as the last the model itself. */
    readMoments() {
      const moment = (codes, gradients, name, loss) => {
        const view = Plane.fit(codes);
        return { codes, gradients, name, loss, view, half: view.half };
      };
      const { history } = this.data;
      if (!history) return [moment(this.codes, null, "the model", null)];
      const codes = Core.unpack(history.codes);
      const gradients = Core.unpack(history.gradients);
      const size = 2 * this.num;
      const found = history.moments.map((m, k) =>
        moment(codes.subarray(k * size, (k + 1) * size), gradients.subarray(k * size, (k + 1) * size), `${history.unit} ${m}`, history.losses[k]));
      if (history.ends_at_model) found[found.length - 1].codes = this.codes;
      else found.push(moment(this.codes, null, "the saved model", null));
      return found;
    }

    get final() {
      return this.index === this.moments.length - 1;
    }

    // --- controls ---------------------------------------------------------------------------------------------

    buildControls() {
      const { names, palette, decoder, unit } = { ...this.data, unit: this.data.history ? this.data.history.unit : "" };
      this.colors = names.map((_, i) => palette[i]);
      names.forEach((name, i) => {
        const button = document.createElement("button");
        button.type = "button";
        button.className = "chip";
        button.setAttribute("aria-pressed", "true");
        button.innerHTML = '<span class="swatch"></span><span></span>';
        button.firstChild.style.background = this.colors[i];
        button.lastChild.textContent = name;
        button.addEventListener("click", () => {
          if (this.hidden.has(i)) this.hidden.delete(i);
          else this.hidden.add(i);
          button.setAttribute("aria-pressed", String(!this.hidden.has(i)));
          this.refresh();
        });
        byId("legend").append(button);
      });
      byId("legend-box").hidden = names.length === 0;
      const selects = decoder.inputs.attributes.map(({ name, values }, a) =>
        this.select(name, ["not said", ...values], (chosen) => (this.choices.attributes[a] = chosen - 1)));
      if (decoder.inputs.categories) {
        const options = Array.from({ length: decoder.inputs.categories }, (_, k) => String(k));
        selects.push(this.select("category", options, (chosen) => (this.choices.category = chosen)));
      }
      byId("choices").append(...selects);
      byId("choices").hidden = selects.length === 0;
      byId("time").hidden = this.moments.length < 2;
      const slider = byId("moment");
      slider.max = String(this.moments.length - 1);
      slider.value = slider.max;
      byId("moment-label").textContent = unit === "step" ? "Step" : "Epoch";
      this.player = new Timeline.Player(byId("play"), { name: "the training", step: (first) => this.playOn(first) });
    }

    select(name, options, choose) {
      const label = document.createElement("label");
      const select = document.createElement("select");
      options.forEach((text, i) => select.add(new Option(text, String(i))));
      select.addEventListener("change", () => {
        choose(Number(select.value));
        if (this.tiles) this.tiles.forget();
        this.refresh();
      });
      label.append(name, select);
      return label;
    }

    listen() {
      const canvas = byId("plane");
      let from = null;
      const place = (event) => {
        const box = canvas.getBoundingClientRect();
        return [event.clientX - box.left, event.clientY - box.top];
      };
      canvas.addEventListener("pointerdown", (event) => {
        canvas.focus({ preventScroll: true });
        if (event.pointerType === "mouse") from = place(event);
        else this.moveTo(...this.surface.from(...place(event)));
        canvas.setPointerCapture(event.pointerId);
      });
      canvas.addEventListener("pointermove", (event) => {
        const [x, y] = place(event);
        if (from && event.buttons) {
          this.surface.view.x -= (x - from[0]) / this.surface.scale;
          this.surface.view.y += (y - from[1]) / this.surface.scale;
          from = [x, y];
          this.refresh();
        } else this.moveTo(...this.surface.from(x, y));
      });
      for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, () => (from = null));
      canvas.addEventListener("wheel", (event) => {
        if (!event.ctrlKey && !event.metaKey) return; // a plain wheel scrolls the page
        event.preventDefault();
        this.zoom(Math.exp(event.deltaY / 300), this.surface.from(...place(event)));
      }, { passive: false });
      canvas.addEventListener("keydown", (event) => this.key(event));
      byId("zoom-in").addEventListener("click", () => this.zoom(1 / 1.5, this.cursor));
      byId("zoom-out").addEventListener("click", () => this.zoom(1.5, this.cursor));
      byId("zoom-fit").addEventListener("click", () => this.zoomHome());
      byId("moment").addEventListener("input", (event) => {
        this.player.set(false);
        this.go(Number(event.target.value));
      });
      for (const id of ["trails", "tiles"]) byId(id).addEventListener("change", () => this.refresh());
    }

    key(event) {
      const step = (event.shiftKey ? 0.2 : 0.04) * this.surface.view.half;
      const moves = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, step], ArrowDown: [0, -step] };
      if (event.key in moves) {
        const [dx, dy] = moves[event.key];
        this.moveTo(this.cursor[0] + dx, this.cursor[1] + dy);
        const { view } = this.surface;
        if (Math.max(Math.abs(this.cursor[0] - view.x), Math.abs(this.cursor[1] - view.y)) > view.half) {
          view.x += dx;
          view.y += dy;
          this.refresh();
        }
      } else if (event.key === "+" || event.key === "=") this.zoom(1 / 1.5, this.cursor);
      else if (event.key === "-") this.zoom(1.5, this.cursor);
      else if (event.key === "0") this.zoomHome();
      else return;
      event.preventDefault();
    }

    zoom(factor, [x, y]) {
      const { view } = this.surface;
      view.x = x + (view.x - x) * factor;
      view.y = y + (view.y - y) * factor;
      view.half *= factor;
      this.refresh();
    }

    zoomHome() {
      this.surface.view = { ...this.moments[this.index].view };
      this.refresh();
    }

    // --- time -------------------------------------------------------------------------------------------------

    /** Go on by one moment, or from the last to the first where play begins there. */
    playOn(first) {
      if (this.final && !first) return null;
      this.go(this.final ? 0 : this.index + 1);
      return TWEEN;
    }

    go(index) {
      this.stop();
      const [from, to] = [Float64Array.from(this.shown), this.moments[index].codes];
      const [before, after] = [{ ...this.surface.view }, this.moments[index].view];
      this.index = index;
      byId("moment").value = String(index);
      this.stop = Core.animate(TWEEN, (t) => {
        for (let i = 0; i < to.length; i++) this.shown[i] = from[i] + t * (to[i] - from[i]);
        this.surface.view = Plane.between(before, after, t);
        this.refresh();
      });
    }

    // --- drawing ----------------------------------------------------------------------------------------------

    moveTo(x, y) {
      this.cursor = [x, y];
      this.refresh();
    }

    /** Draw everything once in the next frame, however often it is asked for. */
    refresh() {
      if (this.pending) return;
      this.pending = true;
      requestAnimationFrame(() => {
        this.pending = false;
        this.draw();
      });
    }

    draw() {
      this.near = this.nearestTo(...this.cursor);
      this.drawPlane();
      if (this.final) Pixels.paint(byId("decoded"), this.network.decode(...this.cursor, this.choices), this.shape, this.data.inverted);
      byId("decoded").classList.toggle("stale", !this.final);
      this.paintNearest();
      const at = `(${show(this.cursor[0])}, ${show(this.cursor[1])})`;
      byId("decoded-note").textContent = this.final ? `Decoded at ${at}` : "The decoder is the trained one: slide to the end to decode";
      const label = this.near < 0 || !this.labels || this.labels[this.near] < 0 ? "" : `, labelled ${this.data.names[this.labels[this.near]]}`;
      byId("nearest-note").textContent = this.near < 0 ? "No image is shown" : `Nearest image: number ${this.near + 1}${label}`;
      if (this.moments.length > 1) {
        const moment = this.moments[this.index];
        byId("moment-out").textContent = moment.name + (moment.loss === null ? "" : ` · loss ${show(moment.loss)} nats an image`);
        byId("moment").setAttribute("aria-valuetext", byId("moment-out").textContent);
        const { losses } = this.data.history;
        Timeline.drawLoss(byId("loss"), [{ values: losses, color: Core.color("--accent") }], Math.min(this.index, losses.length - 1));
      }
    }

    isShown(i) {
      return !this.labels || this.labels[i] < 0 || !this.hidden.has(this.labels[i]);
    }

    nearestTo(x, y) {
      let best = -1;
      let least = Infinity;
      for (let i = 0; i < this.num; i++) {
        const away = (this.shown[2 * i] - x) ** 2 + (this.shown[2 * i + 1] - y) ** 2;
        if (away < least && this.isShown(i)) [best, least] = [i, away];
      }
      return best;
    }

    drawPlane() {
      const { surface } = this;
      const context = surface.begin();
      const tiled = byId("tiles").checked && this.final;
      surface.grid(context);
      if (tiled) this.drawTiles(context);
      const moment = this.moments[this.index];
      if (moment.gradients && byId("trails").checked) this.drawTrails(context, moment);
      const radius = Math.max(1.6, Math.min(4.5, 110 / Math.sqrt(this.num))) * (tiled ? 0.8 : 1);
      for (let i = 0; i < this.num; i++) {
        if (!this.isShown(i)) continue;
        context.beginPath();
        context.arc(surface.toX(this.shown[2 * i]), surface.toY(this.shown[2 * i + 1]), radius, 0, 2 * Math.PI);
        context.fillStyle = this.colorOf(i);
        context.globalAlpha = 0.85;
        context.fill();
      }
      context.globalAlpha = 1;
      this.drawNames(context);
      this.drawCursor(context, radius);
      surface.numbers(context);
    }

    colorOf(i) {
      if (!this.labels) return Core.color("--accent");
      return this.labels[i] < 0 ? Core.color("--subdued") : this.colors[this.labels[i]];
    }

    drawTrails(context, { gradients, half, full }) {
      context.lineWidth = 1.2;
      context.globalAlpha = 0.6;
      for (let i = 0; i < this.num; i++) {
        if (!this.isShown(i)) continue;
        const [x, y] = [this.shown[2 * i], this.shown[2 * i + 1]];
        const [dx, dy] = Plane.trail(gradients[2 * i], gradients[2 * i + 1], half, full);
        context.strokeStyle = this.colorOf(i);
        context.beginPath();
        context.moveTo(this.surface.toX(x), this.surface.toY(y));
        context.lineTo(this.surface.toX(x + dx), this.surface.toY(y + dy));
        context.stroke();
      }
      context.globalAlpha = 1;
    }

    drawNames(context) {
      if (!this.labels) return;
      this.data.names.forEach((name, label) => {
        if (!this.hidden.has(label)) this.surface.name(context, name, this.shown, this.members[label]);
      });
    }

    drawCursor(context, radius) {
      const { surface } = this;
      if (this.near >= 0) {
        const [nx, ny] = [surface.toX(this.shown[2 * this.near]), surface.toY(this.shown[2 * this.near + 1])];
        Cube.dot(context, nx, ny, radius + 1, this.colorOf(this.near), true);
      }
      surface.cross(context, ...this.cursor);
    }

    // --- decodings behind the points --------------------------------------------------------------------------

    drawTiles(context) {
      this.tiles ||= new Pixels.Tiles(this.surface, this.shape, (x, y) => this.network.decode(x, y, this.choices), () => this.drawPlane(), this.data);
      context.globalAlpha = this.data.ink ? 0.42 : 0.5;
      this.tiles.draw(context);
      context.globalAlpha = 1;
    }

    paintNearest() {
      if (!this.sprite.complete || this.near === undefined || this.near < 0) return;
      const [, height, width] = this.shape;
      const { context, width: w, height: h } = Core.sharpen(byId("nearest"));
      const { columns } = this.data.sprite;
      context.imageSmoothingEnabled = false;
      context.drawImage(this.sprite, (this.near % columns) * width, Math.floor(this.near / columns) * height, width, height, 0, 0, w, h);
    }
  }

  return { View };
})();
