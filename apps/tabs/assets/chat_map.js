// The map beside the chat: sentences as dots, the walk as a trail; pointing shows a sentence, a click sends a message to the chat.
"use strict";

const ChatMap = (() => {
  const REACH = 13; // pixels around a dot that still point at it
  const CROSS = 0.06; // of the view, one press of an arrow key
  const FOUND = 30; // search results that are listed
  const MAX_IMPORT = 1.5e6; // characters of a file

  class View {
    /** root: the markup. line: a `ChatLine.Line`, which all messages go through. about: {map, walk, pictures}. */
    constructor(root, line, about) {
      this.root = root;
      this.line = line;
      this.painter = new ChatDraw.Painter(this);
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
      if (about.pictures) ChatPicture.start(root, (kind, picture) => line.send(kind, picture, "(a picture)"));
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
      this.painter.keys();
      this.hint();
    }

    /** What an answer brought: a trail, another map, a file to save, or a refusal. Returns the conversation with what waits below it. */
    show(data, talk) {
      this.line.answered(data.number, data.failed);
      this.take(data);
      return this.line.below(talk);
    }

    take(data) {
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
      ChatTouch.listen(this, canvas);
      canvas.addEventListener("keydown", (event) => this.key(event));
      canvas.addEventListener("blur", () => {
        this.cross = null;
        this.rest();
      });
      part("in").addEventListener("click", () => this.zoom(1 / 1.5));
      part("out").addEventListener("click", () => this.zoom(1.5));
      part("all").addEventListener("click", () => this.all());
      part("colors").addEventListener("change", () => {
        this.painter.keys();
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
      part("export").addEventListener("click", () => this.line.send("export", ""));
      part("new").addEventListener("click", () => this.line.send("new", ""));
      part("import").addEventListener("change", async (event) => {
        const [file] = event.target.files;
        event.target.value = "";
        if (!file) return;
        if (file.size > MAX_IMPORT) return this.warn("This file is larger than any conversation.");
        this.warn("");
        this.line.send("import", await file.text());
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

    /** Move the view by pixels, from where it is or was. */
    shift(dx, dy, from = this.surface.view) {
      Object.assign(this.surface.view, { x: from.x - dx / this.surface.scale, y: from.y + dy / this.surface.scale });
    }

    /** Zoom, the point under (px, py) staying where it is; else the middle. */
    zoom(factor, px = this.surface.width / 2, py = this.surface.height / 2) {
      this.stop?.();
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
      else if (Math.abs(x) < 900 && Math.abs(y) < 900) this.line.send("message", `@${x.toFixed(2)},${y.toFixed(2)}`, `the point (${x.toFixed(1)}, ${y.toFixed(1)}) of the map`);
    }

    /** A sentence, quoted so that it is taken as one. */
    say(sentence) {
      const quoted = `“${sentence.replaceAll(/["“”„]/g, "'")}”`;
      this.line.send("message", quoted, quoted);
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

    draw() {
      this.painter.draw();
    }

    // --- in and out -------------------------------------------------------------------------------------------

    /** A walk that came in the address. */
    replay() {
      const match = /^#walk=([\w-]+)$/.exec(location.hash);
      if (!match) return;
      history.replaceState(null, "", location.pathname + location.search); // so that a reload begins where one is
      this.tell("Replaying the link’s walk …");
      this.line.send("link", match[1]);
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
  }

  return { View };
})();
