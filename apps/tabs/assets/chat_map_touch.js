// How a pointer, two fingers and the wheel move over the map: a press goes there, a drag shifts it; a second press, a pinch and the wheel zoom.
"use strict";

const ChatTouch = (() => {
  const DRAG = 5; // pixels after which a press is a drag and no click
  const AGAIN = 350; // milliseconds within which a second press belongs to the first
  const REST = 350; // milliseconds that the pointer stays before the wheel is the map's: longer than between two turns of it

  /** Let a canvas move the view of a map. */
  function listen(view, canvas) {
    const at = (event) => {
      const box = canvas.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    };
    press(view, canvas, at);
    wheel(view, canvas, at);
  }

  function press(view, canvas, at) {
    const fingers = new Map(); // pointer: where it is
    let start = null; // of a press of one pointer
    let last = -Infinity; // when the last press ended
    const lift = (event) => {
      const pressed = start && !start.moved;
      fingers.delete(event.pointerId);
      start = null;
      return pressed;
    };
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      fingers.set(event.pointerId, at(event));
      start = fingers.size === 1 ? { at: at(event), view: { ...view.surface.view }, moved: false } : null;
      canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener("pointermove", (event) => {
      const [px, py] = at(event);
      const before = fingers.size === 2 && fingers.has(event.pointerId) ? span(fingers) : null;
      if (fingers.has(event.pointerId)) fingers.set(event.pointerId, [px, py]);
      if (before) {
        const now = span(fingers);
        view.shift(now.x - before.x, now.y - before.y);
        return view.zoom(before.gap / now.gap, now.x, now.y);
      }
      if (start) {
        const [dx, dy] = [px - start.at[0], py - start.at[1]];
        if (Math.hypot(dx, dy) > DRAG) start.moved = true;
        if (start.moved) view.shift(dx, dy, start.view);
      }
      view.cross = null;
      view.point(px, py);
    });
    canvas.addEventListener("pointerup", (event) => {
      if (!lift(event)) return;
      if (event.timeStamp - last < AGAIN) view.zoom(1 / 2, ...at(event)); // whoever presses twice wants to see more of it, not to go there twice
      else {
        view.point(...at(event));
        view.go();
      }
      last = event.timeStamp;
    });
    canvas.addEventListener("pointercancel", lift);
    canvas.addEventListener("pointerleave", () => {
      if (!fingers.size && !view.cross) view.rest();
    });
    // One finger scrolls the page; two are the map's.
    for (const name of ["touchstart", "touchmove"]) canvas.addEventListener(name, (event) => event.touches.length > 1 && event.cancelable && event.preventDefault(), { passive: false });
  }

  /** Middle of two fingers, and how far they are apart. */
  function span(fingers) {
    const [[ax, ay], [bx, by]] = [...fingers.values()];
    return { x: (ax + bx) / 2, y: (ay + by) / 2, gap: Math.max(1, Math.hypot(ax - bx, ay - by)) };
  }

  /** The wheel zooms where the pointer has rested, or where the keyboard's focus is, and never while the page is being scrolled. */
  function wheel(view, canvas, at) {
    let came = Infinity; // when the pointer did
    let scrolled = -Infinity; // when the page last was
    canvas.addEventListener("pointerenter", (event) => (came = event.timeStamp));
    canvas.addEventListener("pointerleave", () => (came = Infinity));
    window.addEventListener("wheel", (event) => {
      if (event.target !== canvas) scrolled = event.timeStamp;
    }, { passive: true });
    canvas.addEventListener("wheel", (event) => {
      const ours = event.timeStamp - came > REST || document.activeElement === canvas;
      const pinched = event.ctrlKey; // two fingers on a touchpad
      if (!pinched && !(ours && event.timeStamp - scrolled > REST)) return void (scrolled = event.timeStamp);
      event.preventDefault();
      view.zoom(event.deltaY < 0 ? 1 / 1.15 : 1.15, ...at(event));
    }, { passive: false });
  }

  return { listen };
})();
