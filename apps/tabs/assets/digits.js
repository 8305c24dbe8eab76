// Digits: one draws, and models with a plane for their code encode and rebuild it in the browser; hovering a plane decodes there.
"use strict";

const Digits = (() => {
  const { show } = Core;
  const PAPER = 280; // units across the paper, however large it is shown
  const PEN = 20; // of them, a stroke's width on the paper
  const WRITING = 900; // milliseconds in which an example is written
  const FIRST = 3; // the example to begin with
  const NEAREST = 10; // recorded digits that say what a place of a map belongs to
  const HALF = 3; // of a map's view, where nothing was recorded: three deviations of a standard normal
  const OUTER = 0.015; // share of the recorded digits that may lie outside a map's view on each side
  const LARGEST = 2.5e6; // bytes of a file that is sent as it is; larger ones are first made smaller here
  const SMALLER = 1024; // pixels across what is then sent
  // Ten hues apart from each other for most eyes, dark enough on white and light enough on black with a rim.
  const HUES = ["#4269d0", "#c98500", "#d6413a", "#3e9d8f", "#2e8b3a", "#d9599e", "#8a55c9", "#2b8fb5", "#8c6239", "#6b7280"];

  class View {
    /**
     * root: the markup. server: {weights(name), picture(address)}, each answered by a promise; a page without a server has no
     *   `picture`. models: [{name, title}, ...], in the order of the maps.
     */
    constructor(root, server, { models }) {
      this.root = root;
      this.server = server;
      this.part = (name) => root.querySelector(`[data-part="${name}"]`);
      Core.usePalette(root);
      this.strokes = [];
      this.picture = null; // 784 pixels that were uploaded, in place of strokes
      this.maps = models.map((model) => new Chart(this, model));
      this.part("models").style.setProperty("--count", String(models.length));
      this.part("models").append(...this.maps.map((map) => map.figure), ...this.maps.map((map) => map.rebuilt));
      this.stop = () => {};
      this.buildControls();
      Core.redrawWith([this.part("paper"), this.part("seen"), ...this.maps.flatMap((map) => [map.canvas, map.image])], () => this.refresh());
      this.write(FIRST);
      this.ready = this.load();
    }

    // --- controls ---------------------------------------------------------------------------------------------

    buildControls() {
      const { part } = this;
      Strokes.DIGITS.forEach((_, digit) => {
        const button = document.createElement("button");
        Object.assign(button, { type: "button", textContent: String(digit) });
        button.setAttribute("aria-label", `Write a ${digit}`);
        button.addEventListener("click", () => this.write(digit));
        part("examples").append(button);
      });
      part("clear").addEventListener("click", () => this.clear());
      part("undo").addEventListener("click", () => this.undo());
      part("upload").hidden = !this.server.picture;
      part("file").addEventListener("change", (event) => {
        const [file] = event.target.files;
        if (file) this.upload(file);
        event.target.value = "";
      });
      const paper = part("paper");
      paper.addEventListener("pointerdown", (event) => {
        if (event.button !== 0) return;
        event.preventDefault();
        paper.focus({ preventScroll: true });
        paper.setPointerCapture(event.pointerId);
        this.stop();
        if (this.isExample || this.picture) this.clear();
        this.strokes.push([this.at(event)]);
        this.pen = event.pointerId;
        this.changed();
      });
      paper.addEventListener("pointermove", (event) => {
        if (this.pen !== event.pointerId) return;
        const between = event.getCoalescedEvents ? event.getCoalescedEvents() : [];
        for (const one of between.length ? between : [event]) this.strokes[this.strokes.length - 1].push(this.at(one));
        this.changed();
      });
      for (const name of ["pointerup", "pointercancel"]) paper.addEventListener(name, () => (this.pen = null));
      paper.addEventListener("keydown", (event) => {
        if (/^[0-9]$/.test(event.key) && !event.ctrlKey && !event.metaKey && !event.altKey) this.write(Number(event.key));
        else if (["Delete", "Backspace", "Escape"].includes(event.key)) this.clear();
        else if (event.key === "z" && (event.ctrlKey || event.metaKey)) this.undo();
        else return;
        event.preventDefault();
      });
    }

    /** Where a pointer is on the paper, in its units. */
    at(event) {
      const box = this.part("paper").getBoundingClientRect();
      return [((event.clientX - box.left) / box.width) * PAPER, ((event.clientY - box.top) / box.height) * PAPER];
    }

    clear() {
      this.stop();
      this.strokes = [];
      this.picture = null;
      this.isExample = false;
      this.pen = null;
      for (const map of this.maps) map.way = [];
      this.changed();
    }

    undo() {
      this.stop();
      if (this.picture) return this.clear();
      this.strokes.pop();
      this.changed();
    }

    /** Write one of our own digits, stroke by stroke; what one draws next replaces it. */
    write(digit) {
      this.clear();
      this.isExample = true;
      const whole = example(digit);
      const num = whole.flat().length;
      this.stop = Core.animate(WRITING, (t) => {
        let left = Math.max(2, Math.ceil(t * num));
        this.strokes = [];
        for (const stroke of whole) {
          if (left > 0) this.strokes.push(stroke.slice(0, left));
          left -= stroke.length;
        }
        this.changed();
      });
    }

    /** Send a picture to the server, which makes a digit of it, or says why not. */
    async upload(file) {
      const words = this.part("alert");
      words.textContent = "";
      try {
        const answer = await this.server.picture(await address(file));
        if (answer.error) throw new Error(answer.error);
        this.clear();
        this.picture = Float64Array.from(Core.unpack(answer.pixels));
        this.changed();
      } catch (error) {
        words.textContent = error.message || "The picture did not reach the server: try again.";
      }
    }

    // --- models -----------------------------------------------------------------------------------------------

    async load() {
      const wait = this.part("wait");
      for (const map of this.maps) {
        wait.textContent = `Loading ${map.title} …`;
        try {
          const spec = await this.server.weights(map.name);
          if (spec.error) throw new Error(spec.error);
          map.open(spec);
        } catch (error) {
          wait.textContent = `${map.title} could not be loaded: ${error.message || error}. Reload the page to try again.`;
          return;
        }
        this.changed();
      }
      wait.textContent = "";
    }

    /** The digit as the models read it: 784 pixels in [0, 1]. */
    pixels() {
      return this.picture || Strokes.normalize(this.strokes);
    }

    get empty() {
      return !this.picture && !this.strokes.length;
    }

    /** The digit as a PNG in a data address, for the server's verbs; empty where nothing is drawn. */
    drawing() {
      return this.empty ? "" : Pixels.stamp(this.pixels(), [1, Strokes.SIDE, Strokes.SIDE], false, null).toDataURL("image/png");
    }

    /** One of our own digits, likewise. */
    ours(digit) {
      return Pixels.stamp(Strokes.normalize(example(digit)), [1, Strokes.SIDE, Strokes.SIDE], false, null).toDataURL("image/png");
    }

    /** Every map decodes at the same place of its view, from -1 to 1 across and up; null goes back to the drawing. */
    hover(at) {
      for (const map of this.maps) map.hover(at);
      this.refresh();
    }

    changed() {
      this.dirty = true;
      for (const map of this.maps) map.hover(null);
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
      const pixels = this.pixels();
      this.drawPaper(pixels);
      Pixels.paint(this.part("seen"), pixels, [1, Strokes.SIDE, Strokes.SIDE]);
      for (const map of this.maps) {
        if (this.dirty) map.read(this.empty ? null : pixels);
        map.draw();
      }
      this.dirty = false;
    }

    drawPaper(pixels) {
      const { context, width } = Core.sharpen(this.part("paper"));
      if (this.picture) {
        context.imageSmoothingEnabled = false;
        context.drawImage(Pixels.stamp(pixels, [1, Strokes.SIDE, Strokes.SIDE], false, null), 0, 0, width, width);
        return;
      }
      const scale = width / PAPER;
      context.strokeStyle = context.fillStyle = "#fff";
      context.lineWidth = PEN * scale;
      context.lineCap = context.lineJoin = "round";
      for (const stroke of this.strokes) {
        context.beginPath();
        stroke.forEach(([x, y], i) => (i ? context.lineTo(x * scale, y * scale) : context.moveTo(x * scale, y * scale)));
        if (stroke.length === 1) context.lineTo(stroke[0][0] * scale + 0.01, stroke[0][1] * scale);
        context.stroke();
      }
    }
  }

  /** One model: its plane, and the image beside it. */
  class Chart {
    constructor(view, { name, title }) {
      Object.assign(this, { view, name, title, place: null, code: null, way: [] });
      this.figure = element("figure", "card map");
      const caption = element("figcaption", "");
      caption.append(strong(title), " code");
      this.canvas = element("canvas", "");
      const about = { tabindex: "0", role: "application", "aria-label": `Plane of the ${title}'s code: arrow keys move, Escape goes back to your digit` };
      for (const [key, value] of Object.entries(about)) this.canvas.setAttribute(key, value);
      this.figure.append(caption, this.canvas);
      this.rebuilt = element("figure", "card rebuilt");
      this.image = element("canvas", "");
      this.image.setAttribute("role", "img");
      this.image.setAttribute("aria-label", `What the ${title} makes of it`);
      this.words = element("figcaption", "");
      this.rebuilt.append(this.image, this.words);
      this.surface = new Plane.Surface(this.canvas);
      this.listen();
    }

    /** Take weights and recorded codes as the server sent them. */
    open(spec) {
      this.encoder = new Decoder.Encoder(spec.encoder);
      this.decoder = new Decoder.Network(spec.decoder);
      this.shape = spec.decoder.shape;
      this.codes = spec.codes ? Core.unpack(spec.codes) : new Float32Array(0);
      this.labels = spec.codes ? Array.from(spec.codes.labels, Number) : [];
      this.members = HUES.map((_, label) => [...this.labels.keys()].filter((i) => this.labels[i] === label));
      this.surface.view = this.labels.length ? most(this.codes) : { x: 0, y: 0, half: HALF };
      this.tiles = new Pixels.Tiles(this.surface, this.shape, (x, y) => this.decoder.decode(x, y), () => this.view.refresh(), { ink: true });
    }

    listen() {
      const { canvas, view } = this;
      const seek = (event) => {
        if (!this.decoder) return;
        const box = canvas.getBoundingClientRect();
        view.hover([(2 * (event.clientX - box.left)) / box.width - 1, 1 - (2 * (event.clientY - box.top)) / box.height]);
      };
      canvas.addEventListener("pointermove", seek);
      canvas.addEventListener("pointerdown", seek);
      canvas.addEventListener("pointerleave", (event) => {
        if (event.pointerType === "mouse") view.hover(null);
      });
      canvas.addEventListener("blur", () => view.hover(null));
      canvas.addEventListener("keydown", (event) => {
        const step = event.shiftKey ? 0.2 : 0.04;
        const moves = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, step], ArrowDown: [0, -step] };
        if (event.key === "Escape") view.hover(null);
        else if (event.key in moves && this.decoder) {
          const from = this.place || this.share(this.code ? this.code.mean : [this.surface.view.x, this.surface.view.y]);
          view.hover(from.map((v, k) => Math.min(1, Math.max(-1, v + moves[event.key][k]))));
        } else return;
        event.preventDefault();
      });
    }

    /** Where a code is in the view, from -1 to 1; and back. */
    share([x, y]) {
      const { view } = this.surface;
      return [(x - view.x) / view.half, (y - view.y) / view.half];
    }

    codeAt([across, up]) {
      const { view } = this.surface;
      return [view.x + across * view.half, view.y + up * view.half];
    }

    hover(place) {
      this.place = this.decoder ? place : null;
    }

    /** Encode and rebuild a digit; null where nothing is drawn. */
    read(pixels) {
      if (!this.decoder) return;
      this.code = pixels ? this.encoder.encode(pixels) : null;
      if (!this.code) return;
      this.output = this.decoder.decode(...this.code.mean);
      this.error = this.output.reduce((sum, v, i) => sum + (v - pixels[i]) ** 2, 0);
      this.way.push([...this.code.mean]);
    }

    // --- drawing ----------------------------------------------------------------------------------------------

    draw() {
      if (!this.decoder) return;
      const { surface, place } = this;
      const context = surface.begin();
      surface.grid(context);
      context.globalAlpha = 0.34;
      this.tiles.draw(context);
      context.globalAlpha = 1;
      this.drawDots(context);
      this.drawWay(context);
      if (this.code) this.drawCode(context);
      if (place) surface.cross(context, ...this.codeAt(place));
      surface.numbers(context);
      this.drawImage();
    }

    drawDots(context) {
      const { surface, codes } = this;
      context.globalAlpha = 0.8;
      this.labels.forEach((label, i) => {
        context.beginPath();
        context.arc(surface.toX(codes[2 * i]), surface.toY(codes[2 * i + 1]), 1.9, 0, 2 * Math.PI);
        context.fillStyle = HUES[label];
        context.fill();
      });
      context.globalAlpha = 1;
      this.members.forEach((members, label) => surface.name(context, String(label), codes, members));
    }

    /** The way of the code while one drew. */
    drawWay(context) {
      const { surface } = this;
      context.strokeStyle = Core.color("--ink");
      context.globalAlpha = 0.55;
      context.lineWidth = 1.5;
      context.lineJoin = "round";
      context.beginPath();
      this.way.forEach(([x, y], i) => (i ? context.lineTo(surface.toX(x), surface.toY(y)) : context.moveTo(surface.toX(x), surface.toY(y))));
      context.stroke();
      context.globalAlpha = 1;
    }

    /** The drawn digit: a point, and around it an ellipse of one standard deviation where the model has one. */
    drawCode(context) {
      const { surface } = this;
      const { mean, sigma } = this.code;
      const [x, y] = [surface.toX(mean[0]), surface.toY(mean[1])];
      if (sigma) {
        context.beginPath();
        context.ellipse(x, y, Math.max(2, sigma[0] * surface.scale), Math.max(2, sigma[1] * surface.scale), 0, 0, 2 * Math.PI);
        context.strokeStyle = Core.color("--ink");
        context.lineWidth = 1.6;
        context.stroke();
      }
      Cube.dot(context, x, y, 3.5, Core.color("--accent"), true);
    }

    drawImage() {
      const { place, code } = this;
      this.rebuilt.classList.toggle("hovering", Boolean(place));
      const at = place ? this.codeAt(place) : code && code.mean;
      const pixels = place ? this.decoder.decode(...at) : code && this.output;
      if (pixels) Pixels.paint(this.image, pixels, this.shape);
      else Core.sharpen(this.image);
      this.words.replaceChildren(...this.describe(place, at));
    }

    /** The lines beside the image. */
    describe(place, at) {
      const head = strong(this.title);
      if (!at) return [head, " Draw a digit, or point at a map."];
      const lines = [`${place ? "decoded at" : "rebuilt from"} (${show(at[0])}, ${show(at[1])})`];
      if (!place && this.code.sigma) lines.push(`σ ${show(this.code.sigma[0])}, ${show(this.code.sigma[1])}`);
      if (!place) lines.push(`squared error ${show(this.error, 1)}`);
      if (this.labels.length) lines.push(this.neighbours(at));
      return [head, ...lines.map((text, i) => {
        const line = element(i ? "div" : "span", "");
        line.textContent = i ? text : ` ${text}`;
        return line;
      })];
    }

    /** What most of the nearest recorded digits are. */
    neighbours([x, y]) {
      const away = this.labels.map((label, i) => [(this.codes[2 * i] - x) ** 2 + (this.codes[2 * i + 1] - y) ** 2, label]);
      const votes = Array(10).fill(0);
      for (const [, label] of away.sort((a, b) => a[0] - b[0]).slice(0, NEAREST)) votes[label] += 1;
      const most = Math.max(...votes);
      return `nearby: ${most} of ${NEAREST} are a ${votes.indexOf(most)}`;
    }
  }

  /** A view of most codes [x0, y0, x1, y1, ...]: the outermost few would make all others crowd in the middle. */
  function most(codes) {
    const ends = [0, 1].map((k) => {
      const values = Array.from(codes).filter((_, i) => i % 2 === k);
      return [Core.quantile(values, OUTER), Core.quantile(values, 1 - OUTER)];
    });
    return Plane.fit([ends[0][0], ends[1][0], ends[0][1], ends[1][1]]);
  }

  /** One of our own digits on the paper. */
  const example = (digit) => Strokes.DIGITS[digit].map((stroke) => stroke.map(([x, y]) => [(x / 100) * PAPER, (y / 100) * PAPER]));

  /** A file as a data address; a large one is made smaller first, where the browser can read it. */
  async function address(file) {
    let blob = file;
    if (file.size > LARGEST) {
      const bitmap = await createImageBitmap(file).catch(() => {
        throw new Error("The file is large, and no picture that this browser can read: choose another.");
      });
      const scale = Math.min(1, SMALLER / Math.max(bitmap.width, bitmap.height));
      const canvas = element("canvas", "");
      [canvas.width, canvas.height] = [Math.max(1, Math.round(bitmap.width * scale)), Math.max(1, Math.round(bitmap.height * scale))];
      canvas.getContext("2d").drawImage(bitmap, 0, 0, canvas.width, canvas.height);
      blob = await new Promise((done) => canvas.toBlob(done, "image/png"));
    }
    return new Promise((done, fail) => {
      const reader = new FileReader();
      reader.onload = () => done(reader.result.replace(/^data:[^,]*,/, "data:;base64,"));
      reader.onerror = () => fail(new Error("The file cannot be read: choose another."));
      reader.readAsDataURL(blob);
    });
  }

  function element(name, className) {
    const made = document.createElement(name);
    made.className = className;
    return made;
  }

  function strong(text) {
    const made = element("b", "");
    made.textContent = text;
    return made;
  }

  return { View };
})();
