// Time on the page: a slider over moments, a play button, and the curve of the loss above them.
"use strict";

const Timeline = (() => {
  /** The loss over moments on a logarithmic scale, with a dot at the moment shown. */
  function drawLoss(canvas, losses, index) {
    const { context, width, height } = Core.sharpen(canvas);
    if (losses.length < 2) return;
    const logs = losses.map((v) => Math.log(Math.max(v, 1e-12)));
    const [low, high] = [Math.min(...logs), Math.max(...logs)];
    const x = (i) => 6 + (i / (losses.length - 1)) * (width - 12);
    const y = (i) => height - 6 - ((logs[i] - low) / (high - low || 1)) * (height - 12);
    context.strokeStyle = Core.color("--accent");
    context.lineWidth = 1.8;
    context.lineJoin = "round";
    context.beginPath();
    logs.forEach((_, i) => (i ? context.lineTo(x(i), y(i)) : context.moveTo(x(i), y(i))));
    context.stroke();
    Cube.dot(context, x(index), y(index), 4, Core.color("--accent"), false);
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
