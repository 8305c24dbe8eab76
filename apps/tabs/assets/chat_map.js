// The map beside the chat: sentences as dots, the walk as a trail; pointing shows a sentence, a click sends a message to the chat.
"use strict";

const ChatMap = (() => {
  const REACH = 13; // pixels around a dot that still point at it
  const DRAG = 5; // pixels after which a press is a drag and no click
  const CROSS = 0.06; // of the view, one press of an arrow key
  const FOUND = 30; // search results that are listed
  const MAX_IMPORT = 1.5e6; // characters of a file
  // Apart from each other for most eyes, and by shape for all; 4.5 : 1 and more against the card, light and dark.
  const LIGHT = ["#b4430f", "#1d63b8", "#6b3fa0", "#566274"];
  const DARK = ["#ff9d5c", "#6cb6ff", "#c9a3ff", "#9ba9bb"];
  const SHAPES = ["circle", "square", "triangle", "diamond"];
  const PREFERRED = { past: 0, present: 1, future: 2, other: 3, negative: 0, positive: 1 };

  class View {
    /** root: the markup. send(kind, text): to the server. about: {map, walk, pictures}. */
    constructor(root, send, about) {
      this.root = root;
      this.send = send;
      this.part = (name) => root.querySelector(`[data-part="${name}"]`);
      Core.usePalette(root);
      this.surface = new Plane.Surface(this.part("canvas"));
      this.pointed = null; // {x, y, sentence, kind: "dot" | "trail" | "empty"}
      this.cross = null; // of the keyboard
      this.hits = new Set(); // of the search
      this.walk = about.walk;
      this.load(about.map);
      this.listen();
      Core.redrawWith([this.part("canvas")], () => this.draw());
      this.part("picture").hidden = !about.pictures;
      if (about.pictures) ChatPicture.start(root, send);
      this.replay();
      window.addEventListener("hashchange", () => this.replay());
    }

    /** Take another model's map. */
    load(map) {
      this.map = map;
      const names = Object.keys(map.values);
      const select = this.part("colors");
      select.replaceChildren(...[...names, "none"].map((name) => new Option(name, name)));
      select.value = names[0] || "none";
      this.home = Plane.fit(map.points.flat());
      this.surface.view = { ...this.home };
      this.hits.clear();
      this.part("search").value = "";
      this.list();
      this.keys();
      this.hint();
    }

    /** What an answer brought: a trail, another map, a file to save, or a refusal. */
    show(data) {
      this.tell("");
      if (data.failed) return;
      if (data.export) return this.save(data.export);
      if (data.map) this.load(data.map);
      if (!data.trail) return;
      this.walk = data;
      this.cross = null;
      this.follow();
      this.draw();
      this.hint();
    }

    /** Move the view just so far that the last step lies in it. */
    follow() {
      const last = this.walk.trail.at(-1);
      if (!last) return;
      const view = this.surface.view;
      const wide = this.surface.width && this.surface.height ? this.surface.width / Math.min(this.surface.width, this.surface.height) : 1;
      const room = { x: view.half * wide * 0.9, y: view.half * 0.9 };
      const next = { ...view };
      for (const [k, axis] of ["x", "y"].entries()) next[axis] += Math.max(0, last[k] - view[axis] - room[axis]) - Math.max(0, view[axis] - last[k] - room[axis]);
      if (next.x === view.x && next.y === view.y) return;
      this.stop?.();
      this.stop = Core.animate(350, (t) => {
        this.surface.view = Plane.between(view, next, t);
        this.draw();
      });
    }

    // --- controls ---------------------------------------------------------------------------------------------

    listen() {
      const { part } = this;
      const canvas = part("canvas");
      let press = null;
      const at = (event) => {
        const box = canvas.getBoundingClientRect();
        return [event.clientX - box.left, event.clientY - box.top];
      };
      canvas.addEventListener("pointerdown", (event) => {
        if (event.button !== 0) return;
        press = { at: at(event), view: { ...this.surface.view }, moved: false };
        canvas.setPointerCapture(event.pointerId);
      });
      canvas.addEventListener("pointermove", (event) => {
        const [px, py] = at(event);
        if (press) {
          const [dx, dy] = [px - press.at[0], py - press.at[1]];
          if (Math.hypot(dx, dy) > DRAG) press.moved = true;
          if (press.moved) Object.assign(this.surface.view, { x: press.view.x - dx / this.surface.scale, y: press.view.y + dy / this.surface.scale });
        }
        this.cross = null;
        this.point(px, py);
      });
      canvas.addEventListener("pointerup", (event) => {
        const moved = press?.moved;
        if (press && !moved) {
          this.point(...at(event));
          this.go();
        }
        press = null;
      });
      canvas.addEventListener("pointercancel", () => (press = null));
      canvas.addEventListener("pointerleave", () => {
        if (!press && !this.cross) this.rest();
      });
      canvas.addEventListener("wheel", (event) => {
        if (!event.ctrlKey && document.activeElement !== canvas) return; // the page scrolls until the map is in use
        event.preventDefault();
        this.zoom(event.deltaY < 0 ? 1 / 1.15 : 1.15, ...at(event));
      }, { passive: false });
      canvas.addEventListener("keydown", (event) => this.key(event));
      canvas.addEventListener("blur", () => {
        this.cross = null;
        this.rest();
      });
      part("in").addEventListener("click", () => this.zoom(1 / 1.5));
      part("out").addEventListener("click", () => this.zoom(1.5));
      part("all").addEventListener("click", () => this.all());
      part("colors").addEventListener("change", () => {
        this.keys();
        this.draw();
      });
      part("search").addEventListener("input", () => this.search());
      part("search").addEventListener("keydown", (event) => {
        if (event.key === "Enter" && this.hits.size) this.say(this.map.sentences[[...this.hits][0]]);
        if (event.key === "Escape") {
          event.target.value = "";
          this.search();
        }
      });
      part("link").addEventListener("click", () => this.copy());
      part("export").addEventListener("click", () => this.send("export", ""));
      part("new").addEventListener("click", () => this.send("new", ""));
      part("import").addEventListener("change", async (event) => {
        const [file] = event.target.files;
        event.target.value = "";
        if (!file) return;
        if (file.size > MAX_IMPORT) return this.warn("This file is larger than any conversation.");
        this.warn("");
        this.send("import", await file.text());
      });
    }

    key(event) {
      const ways = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
      const view = this.surface.view;
      if (ways[event.key]) {
        const last = this.walk.trail.at(-1);
        const from = this.cross || (last ? [last[0], last[1]] : [view.x, view.y]);
        this.cross = from.map((v, k) => v + ways[event.key][k] * CROSS * view.half * (event.shiftKey ? 4 : 1));
        this.point(this.surface.toX(this.cross[0]), this.surface.toY(this.cross[1]));
      } else if (event.key === "Enter" || event.key === " ") {
        if (this.pointed) this.go();
      } else if (event.key === "+" || event.key === "=") this.zoom(1 / 1.5);
      else if (event.key === "-") this.zoom(1.5);
      else if (event.key === "0") this.all();
      else return;
      event.preventDefault();
    }

    all() {
      const points = [...this.map.points, ...this.walk.trail.map(([x, y]) => [x, y])];
      this.surface.view = Plane.fit(points.flat());
      this.draw();
    }

    /** Zoom, the point under (px, py) staying where it is; else the middle. */
    zoom(factor, px = this.surface.width / 2, py = this.surface.height / 2) {
      const view = this.surface.view;
      const [x, y] = this.surface.from(px, py);
      const half = Math.min(Math.max(view.half * factor, this.home.half / 40), this.home.half * 4);
      const share = half / view.half;
      this.surface.view = { x: x + (view.x - x) * share, y: y + (view.y - y) * share, half };
      this.draw();
    }

    /** Say what lies under a pixel. */
    point(px, py) {
      const [x, y] = this.surface.from(px, py);
      let best = { gap: REACH, x, y, kind: "empty", sentence: "" };
      const consider = (at, sentence, kind) => {
        const gap = Math.hypot(this.surface.toX(at[0]) - px, this.surface.toY(at[1]) - py);
        if (gap < best.gap) best = { gap, x: at[0], y: at[1], kind, sentence };
      };
      this.map.points.forEach((at, i) => consider(at, this.map.sentences[i], "dot"));
      this.walk.trail.forEach((at) => consider(at, at[2], "trail"));
      this.pointed = best;
      const say = this.part("pointed");
      say.textContent = best.kind === "empty" ? `(${Core.show(x, 1)}, ${Core.show(y, 1)}): click to see what the model says here` : best.sentence;
      this.draw();
    }

    /** Ask the chat to go to what is pointed at. */
    go() {
      const { x, y, kind, sentence } = this.pointed;
      if (kind !== "empty" && sentence.trim()) this.say(sentence);
      else if (Math.abs(x) < 900 && Math.abs(y) < 900) this.send("message", `@${x.toFixed(2)},${y.toFixed(2)}`);
    }

    /** A sentence, quoted so that it is taken as one. */
    say(sentence) {
      this.send("message", `“${sentence.replaceAll(/["“”„]/g, "'")}”`);
    }

    rest() {
      this.pointed = null;
      this.hint();
      this.draw();
    }

    hint() {
      const last = this.walk.trail.at(-1);
      this.part("pointed").textContent = last ? `You stand at “${last[2]}” — point at a dot to read it, click to go there.` : "Point at a dot to read it, click to go there.";
    }

    search() {
      const words = this.part("search").value.toLowerCase().split(/\s+/).filter(Boolean);
      this.hits = new Set(words.length ? this.map.sentences.flatMap((s, i) => (words.every((w) => s.toLowerCase().includes(w)) ? [i] : [])) : []);
      this.list();
      this.draw();
    }

    list() {
      const list = this.part("found");
      const asked = this.part("search").value.trim();
      list.hidden = !asked;
      const rows = [...this.hits].slice(0, FOUND).map((i) => {
        const row = document.createElement("li");
        const button = Object.assign(document.createElement("button"), { type: "button", textContent: this.map.sentences[i] });
        button.addEventListener("click", () => this.say(this.map.sentences[i]));
        button.addEventListener("focus", () => this.mark(i));
        button.addEventListener("pointerenter", () => this.mark(i));
        row.append(button);
        return row;
      });
      if (!rows.length && asked) rows.push(Object.assign(document.createElement("li"), { className: "out", textContent: "No sentence on the map has that." }));
      list.replaceChildren(...rows);
    }

    mark(i) {
      this.pointed = { x: this.map.points[i][0], y: this.map.points[i][1], kind: "dot", sentence: this.map.sentences[i] };
      this.draw();
    }

    // --- in and out -------------------------------------------------------------------------------------------

    /** A walk that came in the address. */
    replay() {
      const match = /^#walk=([\w-]+)$/.exec(location.hash);
      if (!match) return;
      history.replaceState(null, "", location.pathname + location.search); // so that a reload begins where one is
      this.tell("Replaying the link’s walk …");
      this.send("link", match[1]);
    }

    async copy() {
      if (!this.walk.link) return this.warn(this.walk.reason ? `${this.walk.reason[0].toUpperCase()}${this.walk.reason.slice(1)}.` : "There is nothing to share yet.");
      const address = `${location.origin}${location.pathname}#walk=${this.walk.link}`;
      this.warn("");
      try {
        await navigator.clipboard.writeText(address);
        this.tell("Copied.");
      } catch {
        window.prompt("The link of this walk:", address); // where the page may not write to the clipboard
      }
    }

    save(text) {
      const address = URL.createObjectURL(new Blob([text], { type: "application/json" }));
      Object.assign(document.createElement("a"), { href: address, download: "walk.json" }).click();
      setTimeout(() => URL.revokeObjectURL(address), 10_000);
      this.tell("Exported.");
    }

    tell(text) {
      this.part("told").textContent = text;
    }

    warn(text) {
      this.part("alert").textContent = text;
      if (text) this.tell("");
    }

    // --- drawing ----------------------------------------------------------------------------------------------

    style(name, k) {
      const index = PREFERRED[name] ?? k % 4;
      return { color: (Core.dark() ? DARK : LIGHT)[index], shape: SHAPES[index] };
    }

    /** What colors and shapes mean. */
    keys() {
      const values = this.map.values[this.part("colors").value];
      this.part("keys").replaceChildren(
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
      const canvas = this.part("canvas");
      if (!canvas.clientWidth) return;
      const context = this.surface.begin();
      const values = this.map.values[this.part("colors").value];
      if (this.shaded !== Core.dark()) {
        this.shaded = Core.dark();
        this.keys();
      }
      this.surface.grid(context);
      const faint = this.hits.size > 0;
      this.map.points.forEach(([x, y], i) => {
        const { color, shape } = values ? this.style(values.names[values.of[i]], values.of[i]) : { color: Core.color("--subdued"), shape: "circle" };
        context.globalAlpha = faint && !this.hits.has(i) ? 0.18 : 0.85;
        context.fillStyle = color;
        this.dot(context, x, y, shape, this.hits.has(i) ? 5.5 : 4);
      });
      context.globalAlpha = 1;
      this.neighbours(context);
      this.trail(context);
      this.label(context);
    }

    dot(context, x, y, shape, r) {
      const [px, py] = [this.surface.toX(x), this.surface.toY(y)];
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
      const last = this.walk.trail.at(-1);
      context.strokeStyle = Core.color("--second");
      context.lineWidth = 1.5;
      for (const i of this.walk.near) {
        const [x, y] = this.map.points[i];
        if (last) {
          context.globalAlpha = 0.45;
          context.beginPath();
          context.moveTo(this.surface.toX(last[0]), this.surface.toY(last[1]));
          context.lineTo(this.surface.toX(x), this.surface.toY(y));
          context.stroke();
          context.globalAlpha = 1;
        }
        context.beginPath();
        context.arc(this.surface.toX(x), this.surface.toY(y), 8, 0, 2 * Math.PI);
        context.stroke();
      }
    }

    trail(context) {
      const points = this.walk.trail.map(([x, y]) => [this.surface.toX(x), this.surface.toY(y)]);
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
      const last = this.walk.trail.at(-1);
      const shown = this.pointed?.sentence ? this.pointed : !this.pointed && last ? { x: last[0], y: last[1], sentence: last[2] } : null;
      if (this.cross) {
        const [px, py] = [this.surface.toX(this.cross[0]), this.surface.toY(this.cross[1])];
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
      while (text.length > 8 && context.measureText(text).width > this.surface.width - 24) text = `${text.slice(0, -2).trimEnd()}…`;
      const width = context.measureText(text).width;
      const left = Math.min(Math.max(this.surface.toX(shown.x) - width / 2, 10), this.surface.width - width - 10);
      const above = this.surface.toY(shown.y) - 20;
      const top = above > 16 ? above : this.surface.toY(shown.y) + 28;
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

  return { View };
})();
