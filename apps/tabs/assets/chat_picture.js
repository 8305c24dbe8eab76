// A drawing or a picture for the chat: made small here, sent as a data address. What it shows is the server's business.
"use strict";

const ChatPicture = (() => {
  const LARGEST = 2e6; // bytes of a file that is sent as it is
  const SMALLER = 512; // pixels across of what is sent in place of a larger one

  function start(root, send) {
    const part = (name) => root.querySelector(`[data-part="${name}"]`);
    const pad = part("pad");
    const context = pad.getContext("2d");
    let drawn = false;
    let last = null;

    const clear = () => {
      context.fillStyle = "#000";
      context.fillRect(0, 0, pad.width, pad.height);
      drawn = false;
      part("pad-alert").textContent = "";
    };
    const warn = (text) => (part("pad-alert").textContent = text);
    const at = (event) => {
      const box = pad.getBoundingClientRect();
      return [((event.clientX - box.left) / box.width) * pad.width, ((event.clientY - box.top) / box.height) * pad.height];
    };
    const line = (event) => {
      const next = at(event);
      Object.assign(context, { strokeStyle: "#fff", lineWidth: 14, lineCap: "round", lineJoin: "round" });
      context.beginPath();
      context.moveTo(...last);
      context.lineTo(...next);
      context.stroke();
      last = next;
      drawn = true;
    };

    pad.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      pad.setPointerCapture(event.pointerId);
      last = at(event);
      line(event);
    });
    pad.addEventListener("pointermove", (event) => last && line(event));
    for (const name of ["pointerup", "pointercancel"]) pad.addEventListener(name, () => (last = null));
    part("clear").addEventListener("click", clear);
    part("send").addEventListener("click", () => {
      if (!drawn) return warn("Nothing is drawn yet: draw a digit on the black square.");
      send("picture", pad.toDataURL("image/png"));
      clear();
    });
    part("file").addEventListener("change", async (event) => {
      const [file] = event.target.files;
      event.target.value = "";
      if (!file) return;
      warn("");
      try {
        send("picture", file.size > LARGEST ? await smaller(file) : await address(file));
      } catch {
        warn("This browser cannot read that file as a picture.");
      }
    });
    clear();
  }

  const address = (file) =>
    new Promise((resolve, reject) => {
      const reader = new FileReader();
      reader.onload = () => resolve(reader.result);
      reader.onerror = reject;
      reader.readAsDataURL(file);
    });

  async function smaller(file) {
    const bitmap = await createImageBitmap(file, { resizeWidth: SMALLER, resizeQuality: "medium" });
    const canvas = Object.assign(document.createElement("canvas"), { width: bitmap.width, height: bitmap.height });
    canvas.getContext("2d").drawImage(bitmap, 0, 0);
    return canvas.toDataURL("image/png");
  }

  return { start };
})();
