// A square to draw on; sends side x side bytes of ink at the end of every stroke.
const SHOWN = 224; // CSS pixels

function render({ model, el }) {
  const side = model.get("side");
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = side;
  canvas.setAttribute("aria-label", model.get("description"));
  canvas.style.cssText =
    `width:${SHOWN}px;height:${SHOWN}px;border:1px solid #767676;` +
    "display:block;background:#fff;touch-action:none;cursor:crosshair";
  const clear = document.createElement("button");
  clear.textContent = "Стереть";
  clear.className = "jupyter-button widget-button";
  const label = document.createElement("div");
  label.textContent = model.get("description");
  el.append(label, canvas, clear);

  const pen = canvas.getContext("2d", { willReadFrequently: true });
  pen.lineWidth = side / 11; // as thick as the strokes of MNIST
  pen.lineCap = pen.lineJoin = "round";

  const show = () => {
    const value = model.get("value");
    const pixels = pen.createImageData(side, side);
    for (let k = 0; k < side * side; k++) {
      pixels.data.fill(255 - value.getUint8(k), 4 * k, 4 * k + 3);
      pixels.data[4 * k + 3] = 255;
    }
    pen.putImageData(pixels, 0, 0);
  };
  const send = () => {
    const { data } = pen.getImageData(0, 0, side, side);
    const ink = new Uint8Array(side * side).map((_, k) => 255 - data[4 * k]);
    model.set("value", new DataView(ink.buffer));
    model.save_changes();
  };
  const place = (event) => [
    (event.offsetX * side) / SHOWN,
    (event.offsetY * side) / SHOWN,
  ];
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    pen.beginPath();
    pen.moveTo(...place(event));
    pen.lineTo(...place(event)); // a dot is a stroke, too
    pen.stroke();
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!canvas.hasPointerCapture(event.pointerId)) return;
    pen.lineTo(...place(event));
    pen.stroke();
  });
  canvas.addEventListener("pointerup", send);
  clear.addEventListener("click", () => {
    pen.fillStyle = "#fff";
    pen.fillRect(0, 0, side, side);
    send();
  });
  model.on("change:value", show);
  show();
}

export default { render };
