// What all parts of the page share: bytes, numbers, colors and time. It knows neither models nor canvases.
"use strict";

const Core = (() => {
  /** The numbers of a packed tensor, as Float32Array. */
  function unpack(packed) {
    const text = atob(packed.data);
    const bytes = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
    const values = packed.dtype === "float16" ? halves(new Uint16Array(bytes.buffer)) : new Float32Array(bytes.buffer);
    const expected = packed.shape.reduce((a, b) => a * b, 1);
    if (values.length !== expected) throw new Error(`a tensor holds ${values.length} numbers, not ${expected}: the file is damaged`);
    return values;
  }

  /** IEEE 754 half precision to numbers. */
  function halves(words) {
    const out = new Float32Array(words.length);
    for (let i = 0; i < words.length; i++) {
      const sign = words[i] & 0x8000 ? -1 : 1;
      const exponent = (words[i] >> 10) & 31;
      const fraction = words[i] & 1023;
      if (exponent === 31) out[i] = fraction ? NaN : sign * Infinity;
      else if (exponent === 0) out[i] = sign * fraction * 2 ** -24;
      else out[i] = sign * (1024 + fraction) * 2 ** (exponent - 25);
    }
    return out;
  }

  /** A number for people: few digits, a true minus sign. */
  function show(value, digits = 2) {
    const size = Math.abs(value);
    const text = size !== 0 && (size < 10 ** -digits || size >= 1e5) ? value.toExponential(1) : value.toFixed(size < 100 ? digits : 0);
    return text.replace("-", "−");
  }

  /** Round numbers inside [low, high], about `count` of them. */
  function ticks(low, high, count) {
    const raw = (high - low) / Math.max(count, 1);
    const power = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= raw * 0.999);
    const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
    const found = [];
    for (let k = Math.ceil(low / step - 1e-9); k * step <= high + step * 1e-9; k++) found.push({ value: k * step, digits });
    return found;
  }

  /** The q-quantile of numbers. */
  function quantile(values, q) {
    const sorted = Float64Array.from(values).sort();
    return sorted.length ? sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] : 0;
  }

  /** Random numbers in [0, 1) that repeat for a seed (mulberry32). */
  function random(seed) {
    let state = seed >>> 0;
    return () => {
      state = (state + 0x6d2b79f5) >>> 0;
      let t = state;
      t = Math.imul(t ^ (t >>> 15), t | 1);
      t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
      return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
    };
  }

  const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

  /** Call `frame(t)` with t from 0 to 1 for some milliseconds; returns a function that stops it. At once where people want calm. */
  function animate(milliseconds, frame) {
    if (calm() || milliseconds <= 0) {
      frame(1);
      return () => {};
    }
    const start = performance.now();
    let handle = requestAnimationFrame(function step(now) {
      const t = Math.min(1, Math.max(0, (now - start) / milliseconds));
      frame(1 - (1 - t) ** 3);
      if (t < 1) handle = requestAnimationFrame(step);
    });
    return () => cancelAnimationFrame(handle);
  }

  // Anchors of viridis (van der Walt & Smith 2015), even to the eye and to the color-blind.
  const RAMP = [[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]];

  /** A color along the ramp, t from 0 to 1. */
  function ramp(t) {
    const x = Math.min(Math.max(t, 0), 1) * (RAMP.length - 1);
    const i = Math.min(Math.floor(x), RAMP.length - 2);
    const mix = RAMP[i].map((a, k) => Math.round(a + (x - i) * (RAMP[i + 1][k] - a)));
    return `rgb(${mix.join(",")})`;
  }

  let palette = null; // the element whose style sheet variables are the colors; null: the page's root
  const known = new Map(); // of the present color scheme

  /** Take the colors from an element's variables: where the page around it has a scheme of its own. */
  function usePalette(element) {
    palette = element;
    known.clear();
  }

  /** A color of the style sheet by its variable's name. */
  function color(name) {
    if (!known.has(name)) known.set(name, getComputedStyle(palette || document.documentElement).getPropertyValue(name).trim());
    return known.get(name);
  }

  const dark = () => color("--scheme") === "dark";

  /** Make a canvas as sharp as the screen; returns its context, scaled to CSS pixels, and its size. */
  function sharpen(canvas) {
    const ratio = Math.min(window.devicePixelRatio || 1, 3);
    const width = canvas.clientWidth;
    const height = canvas.clientHeight;
    if (canvas.width !== Math.round(width * ratio)) canvas.width = Math.round(width * ratio);
    if (canvas.height !== Math.round(height * ratio)) canvas.height = Math.round(height * ratio);
    const context = canvas.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    return { context, width, height };
  }

  /** Draw again when a canvas changes its size or the page its colors. */
  function redrawWith(canvases, draw) {
    const recolor = () => {
      known.clear();
      draw();
    };
    const sizes = new ResizeObserver(draw);
    for (const canvas of canvases) sizes.observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", recolor);
    const classes = new MutationObserver(recolor); // a page that switches by itself marks its root or its body
    for (const element of [document.documentElement, document.body]) classes.observe(element, { attributeFilter: ["class"] });
  }

  const byId = (id) => document.getElementById(id);

  return { unpack, show, ticks, quantile, random, calm, animate, ramp, dark, usePalette, color, sharpen, redrawWith, byId };
})();
