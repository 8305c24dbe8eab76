// Starts the halves that this page has data for, and says in words what went wrong where something does.
"use strict";

(() => {
  const fail = (error) => {
    const box = document.getElementById("alert");
    box.hidden = false;
    box.textContent = `This page cannot go on: ${error && error.message ? error.message : error}.`;
  };
  window.addEventListener("error", (event) => fail(event.error || event.message));
  window.addEventListener("unhandledrejection", (event) => fail(event.reason));
  let data;
  try {
    data = JSON.parse(document.getElementById("data").textContent);
  } catch {
    fail(new Error("its data are cut off or damaged: write the file again"));
    return;
  }
  try {
    for (const id of ["images", "shapes"]) document.getElementById(id).hidden = !data[id];
    if (data.images) window.imagesView = new Images.View(data.images);
    if (data.shapes) window.shapesView = new Shapes.View(data.shapes);
  } catch (error) {
    fail(error);
  }
})();
