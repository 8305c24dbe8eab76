// Time on the page: a slider over moments, a play button, and the curve of the loss above them.
"use strict";

const Timeline = (() => {
  /** Losses over moments on a logarithmic scale, one curve for each {values, color}, with dots at the moment shown. */
  function drawLoss(canvas, curves, index) {
    const { context, width, height } = Core.sharpen(canvas);
    const length = curves[0].values.length;
    if (length < 2) return;
    const logs = curves.map(({ values }) => values.map((v) => Math.log(Math.max(v, 1e-12))));
    const [low, high] = [Math.min(...logs.flat()), Math.max(...logs.flat())];
    const x = (i) => 6 + (i / (length - 1)) * (width - 12);
    const y = (v) => height - 6 - ((v - low) / (high - low || 1)) * (height - 12);
    context.lineWidth = 1.8;
    context.lineJoin = "round";
    curves.forEach(({ color }, k) => {
      context.strokeStyle = color;
      context.beginPath();
      logs[k].forEach((v, i) => (i ? context.lineTo(x(i), y(v)) : context.moveTo(x(i), y(v))));
      context.stroke();
      Cube.dot(context, x(index), y(logs[k][index]), 4, color, false);
    });
  }

  /**
   * A play button. `step(first)` goes on by one moment and says how many milliseconds to wait for the next, or null at
   * the end; `first` is true just after the button was pressed.
   */
  class Player {
    constructor(button, { step, name }) {
      this.button = button;
      this.step = step;
      this.name = name;
      this.playing = false;
      button.addEventListener("click", () => this.set(!this.playing));
      this.set(false);
    }

    set(playing) {
      this.playing = playing;
      this.button.textContent = playing ? "Pause" : "Play";
      this.button.setAttribute("aria-label", `${playing ? "Pause" : "Play"} ${this.name}`);
      if (playing) this.tick(true);
    }

    tick(first) {
      if (!this.playing) return;
      const wait = this.step(first);
      if (wait === null) this.set(false);
      else setTimeout(() => requestAnimationFrame(() => this.tick(false)), wait);
    }
  }

  return { drawLoss, Player };
})();
