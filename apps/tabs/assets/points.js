// Shapes in space to train on: those of "An Interactive Introduction to Autoencoders" (Bertucci, VISxAI 2021), ours, and a drawn curve.
"use strict";

const Points = (() => {
  const ARTICLE_POINTS = 25;
  const CURVE_POINTS = 40;
  const { cos, sin, PI } = Math;

  const each = (num, place) => scaled(Array.from({ length: num }, (_, i) => place(i)));

  /** Each coordinate as 0.5 + v / (2 max |v|), as the article's data are. */
  function scaled(points) {
    const most = [0, 1, 2].map((k) => Math.max(...points.map((p) => Math.abs(p[k]))));
    return points.map((p) => p.map((v, k) => 0.5 + v / (2 * most[k])));
  }

  const turn = (i) => (2 * PI * i) / ARTICLE_POINTS;
  const line = (i) => (2 * i) / ARTICLE_POINTS - 1;

  /** A point of a sphere, evenly spread along a spiral whose turns are golden angles (Vogel 1979). */
  function onSphere(i, num) {
    const z = 1 - (2 * (i + 0.5)) / num;
    const angle = PI * (3 - Math.sqrt(5)) * i;
    return [Math.sqrt(1 - z * z) * cos(angle), Math.sqrt(1 - z * z) * sin(angle), z];
  }

  /** Two rings, one through the other. */
  function onRings(i, num) {
    const angle = (4 * PI * i) / num;
    return i < num / 2 ? [cos(angle) - 0.5, sin(angle), 0.02] : [cos(angle) + 0.5, 0.02, sin(angle)];
  }

  // ordered: whether a line through the points in their order is their shape.
  const SHAPES = {
    circle: { points: () => each(ARTICLE_POINTS, (i) => [cos(turn(i)), sin(turn(i)), sin(turn(i))]), ordered: true },
    roller: { points: () => each(ARTICLE_POINTS, (i) => [cos(turn(i)), sin(turn(i)), sin(2 * turn(i))]), ordered: true },
    sin: { points: () => each(ARTICLE_POINTS, (i) => [sin(turn(i)), i, i]), ordered: true },
    "twisted cubic": { points: () => each(ARTICLE_POINTS, (i) => [line(i), line(i) ** 2, line(i) ** 3]), ordered: true },
    helix: { points: () => each(36, (i) => [cos(PI * i / 9), sin(PI * i / 9), (2 * i) / 35 - 1]), ordered: true },
    sphere: { points: () => each(40, (i) => onSphere(i, 40)), ordered: false },
    "linked rings": { points: () => each(40, (i) => onRings(i, 40)), ordered: false },
  };

  /**
   * A drawn line [[x, y], ...], in units of the pad's width with y upwards, as points in space: even steps along it, across
   * and up as drawn, and from the front to the back as it goes on. Null where the line is too short to be one.
   */
  function fromDrawing(drawn) {
    const lengths = [0];
    for (let i = 1; i < drawn.length; i++) lengths.push(lengths[i - 1] + Math.hypot(drawn[i][0] - drawn[i - 1][0], drawn[i][1] - drawn[i - 1][1]));
    const whole = lengths[lengths.length - 1];
    if (drawn.length < 2 || whole < 0.15) return null;
    const points = [];
    for (let k = 0, i = 1; k < CURVE_POINTS; k++) {
      const share = k / (CURVE_POINTS - 1);
      while (i < drawn.length - 1 && lengths[i] < share * whole) i++;
      const t = Math.min(1, (share * whole - lengths[i - 1]) / (lengths[i] - lengths[i - 1] || 1));
      const [x, y] = [0, 1].map((c) => drawn[i - 1][c] + t * (drawn[i][c] - drawn[i - 1][c]));
      points.push([x, share, y]);
    }
    return points;
  }

  return { SHAPES, fromDrawing };
})();
