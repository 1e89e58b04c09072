// A picture that says where it was pointed at, in shares of its width and height.
function render({ model, el }) {
  const image = document.createElement("img");
  const hint = document.createElement("div");
  hint.textContent = model.get("hint");
  image.alt = "";
  image.style.cssText = "width:100%;cursor:crosshair";
  el.append(hint, image);
  const show = () => {
    URL.revokeObjectURL(image.src);
    const png = new Blob([model.get("value")], { type: "image/png" });
    image.src = URL.createObjectURL(png);
  };
  image.addEventListener("click", (event) => {
    const box = image.getBoundingClientRect();
    model.send({
      x: (event.clientX - box.left) / box.width,
      y: (event.clientY - box.top) / box.height,
    });
  });
  image.addEventListener("dragstart", (event) => event.preventDefault());
  model.on("change:value", show);
  show();
}

export default { render };
