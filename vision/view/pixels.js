// Pixels that a decoder gives, on canvases: one image, or a whole plane of them.
"use strict";

const Pixels = (() => {
  const TILE = 32; // screen pixels across one decoding of a plane, about
  const BUDGET = 10; // milliseconds of decoding in a frame

  /** Draw float pixels (C, H, W) in [0, 1] over a whole canvas, without smoothing. */
  function paint(canvas, pixels, shape, inverted = false) {
    const image = stamp(pixels, shape, inverted, null);
    const { context, width, height } = Core.sharpen(canvas);
    context.imageSmoothingEnabled = false;
    context.drawImage(image, 0, 0, width, height);
  }

  /** Float pixels as a small canvas; with an ink [r, g, b], gray images become that color, the brighter the denser. */
  function stamp(pixels, [channels, height, width], inverted, ink) {
    const canvas = document.createElement("canvas");
    canvas.width = width;
    canvas.height = height;
    const context = canvas.getContext("2d");
    const image = context.createImageData(width, height);
    const area = width * height;
    const level = (k) => Math.round(255 * Math.min(1, Math.max(0, inverted ? 1 - pixels[k] : pixels[k])));
    for (let i = 0; i < area; i++) {
      if (ink) image.data.set([...ink, level(i)], 4 * i);
      else image.data.set([level(i), level(channels === 3 ? i + area : i), level(channels === 3 ? i + 2 * area : i), 255], 4 * i);
    }
    context.putImageData(image, 0, 0);
    return canvas;
  }

  /** Decodings of a grid of points behind a plane, some milliseconds of them in each frame. */
  class Tiles {
    /**
     * surface: the plane. shape: (C, H, W) of an image. decode(x, y): its pixels. ready: called after each frame's part.
     * inverted: whether images are dark on light. ink: whether they are drawn in the page's ink, as strokes without a ground.
     */
    constructor(surface, shape, decode, ready, { inverted = false, ink = false } = {}) {
      Object.assign(this, { surface, shape, decode, ready, inverted, ink });
      this.key = null;
    }

    /** Draw what is decoded so far; begins anew where view, size or colors have changed. */
    draw(context) {
      const { surface } = this;
      if (!surface.width || !surface.height) return; // not laid out yet
      const key = [surface.width, surface.height, ...Object.values(surface.view), Core.dark()].join();
      if (this.key !== key) this.start(key);
      context.drawImage(this.canvas, 0, 0, surface.width, surface.height);
    }

    /** Decode anew at the next drawing: the decoder has changed. */
    forget() {
      this.key = this.canvas = null;
    }

    start(key) {
      const { surface } = this;
      const [, height, width] = this.shape;
      const columns = Math.max(6, Math.round(surface.width / TILE));
      const side = surface.width / columns;
      const rows = Math.ceil(surface.height / (side * height / width));
      const canvas = document.createElement("canvas");
      canvas.width = columns * width;
      canvas.height = Math.round((canvas.width * surface.height) / surface.width);
      Object.assign(this, { key, canvas });
      const ink = this.ink ? (Core.dark() ? [230, 237, 245] : [20, 28, 40]) : null;
      const target = canvas.getContext("2d");
      const cells = Array.from({ length: columns * rows }, (_, k) => [k % columns, Math.floor(k / columns)]);
      const work = () => {
        if (this.canvas !== canvas) return;
        const end = performance.now() + BUDGET;
        while (cells.length && performance.now() < end) {
          const [column, row] = cells.shift();
          const [x, y] = surface.from((column + 0.5) * side, ((row + 0.5) * side * height) / width);
          target.drawImage(stamp(this.decode(x, y), this.shape, this.inverted, ink), column * width, row * height);
        }
        this.ready();
        if (cells.length) requestAnimationFrame(work);
      };
      requestAnimationFrame(work);
    }
  }

  return { paint, stamp, Tiles };
})();
