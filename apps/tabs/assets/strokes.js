// A drawn digit as MNIST would hold it, and the strokes of ten digits of our own to begin with.
//
// Strokes are lists of points [x, y], y downwards, in any unit: [[[x, y], ...], ...].
"use strict";

const Strokes = (() => {
  const SIDE = 28; // MNIST's images
  const BOX = 20; // the square within them that a digit fills, its proportions kept
  const PEN = 1.15; // half a stroke's width in pixels: strokes of MNIST are two to three pixels wide

  /**
   * A drawing as MNIST's own digits were made: scaled so that its longer side fills 20 pixels, then moved so that its
   * center of mass lies in the middle of 28 x 28. All strokes are equally wide, however large they were drawn.
   *
   * Returns 784 gray values in [0, 1], row by row, light on dark; all zero where nothing is drawn.
   */
  function normalize(strokes) {
    const points = strokes.flat();
    if (!points.length) return new Float64Array(SIDE * SIDE);
    const low = [0, 1].map((k) => Math.min(...points.map((p) => p[k])));
    const high = [0, 1].map((k) => Math.max(...points.map((p) => p[k])));
    const longer = Math.max(high[0] - low[0], high[1] - low[1]);
    const scale = longer > 0 ? (BOX - 2 * PEN) / longer : 0; // a single dot stays one
    const placed = (dx, dy) =>
      strokes.map((stroke) => stroke.map(([x, y]) => [SIDE / 2 + dx + (x - (low[0] + high[0]) / 2) * scale, SIDE / 2 + dy + (y - (low[1] + high[1]) / 2) * scale]));
    const [x, y] = center(render(placed(0, 0)));
    return render(placed(SIDE / 2 - x, SIDE / 2 - y));
  }

  /** Strokes on a grid of 28 x 28: a pixel is as light as a pen with an edge one pixel soft covers its middle. */
  function render(strokes) {
    const pixels = new Float64Array(SIDE * SIDE);
    const reach = PEN + 0.5;
    for (const stroke of strokes)
      for (let i = 0; i < Math.max(1, stroke.length - 1); i++) {
        const [a, b] = [stroke[i], stroke[Math.min(i + 1, stroke.length - 1)]];
        const from = [0, 1].map((k) => Math.max(0, Math.floor(Math.min(a[k], b[k]) - reach)));
        const to = [0, 1].map((k) => Math.min(SIDE - 1, Math.ceil(Math.max(a[k], b[k]) + reach)));
        for (let y = from[1]; y <= to[1]; y++)
          for (let x = from[0]; x <= to[0]; x++) {
            const covered = Math.min(1, Math.max(0, reach - away(x + 0.5, y + 0.5, a, b)));
            if (covered > pixels[y * SIDE + x]) pixels[y * SIDE + x] = covered;
          }
      }
    return pixels;
  }

  /** How far a point is from the line between two others. */
  function away(x, y, a, b) {
    const [dx, dy] = [b[0] - a[0], b[1] - a[1]];
    const length = dx * dx + dy * dy;
    const t = length ? Math.min(1, Math.max(0, ((x - a[0]) * dx + (y - a[1]) * dy) / length)) : 0;
    return Math.hypot(x - a[0] - t * dx, y - a[1] - t * dy);
  }

  /** The center of mass of pixels. */
  function center(pixels) {
    let [mass, sumX, sumY] = [0, 0, 0];
    pixels.forEach((v, i) => {
      mass += v;
      sumX += v * ((i % SIDE) + 0.5);
      sumY += v * (Math.floor(i / SIDE) + 0.5);
    });
    return mass ? [sumX / mass, sumY / mass] : [SIDE / 2, SIDE / 2];
  }

  /** An arc of an ellipse, angles in turns from the right, clockwise on the screen. */
  function arc(x, y, rx, ry, from, to) {
    const num = Math.max(6, Math.ceil(Math.abs(to - from) * 36));
    return Array.from({ length: num + 1 }, (_, i) => {
      const angle = 2 * Math.PI * (from + ((to - from) * i) / num);
      return [x + rx * Math.cos(angle), y + ry * Math.sin(angle)];
    });
  }

  // In a square of 100; written by us, not taken from any data.
  const DIGITS = [
    [arc(50, 50, 24, 36, -0.25, 0.77)],
    [[[42, 26], [54, 14], [50, 86]]],
    [[...arc(50, 32, 22, 18, -0.5, 0.08), [30, 82], [74, 82]]],
    [[...arc(48, 31, 20, 17, -0.45, 0.25), ...arc(48, 67, 23, 19, -0.25, 0.42)]],
    [[[36, 16], [28, 54], [72, 54]], [[66, 18], [62, 88]]],
    [[[36, 16], [33, 46], ...arc(47, 64, 24, 20, -0.3, 0.4)], [[36, 16], [70, 16]]],
    [[[60, 12], [44, 28], [34, 48], ...arc(50, 67, 20, 20, -0.5, 0.5)]],
    [[[26, 18], [72, 18], [46, 88]]],
    [[...arc(50, 32, 17, 17, 0.2, -0.7), ...arc(50, 68, 20, 19, -0.27, 0.72)]],
    [[...arc(46, 34, 20, 19, -0.02, -1.0), [66, 34], [60, 88]]],
  ];

  return { normalize, DIGITS, SIDE };
})();
