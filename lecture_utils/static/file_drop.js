// A field for one picture: a click opens the disk, or the file is dropped on it.
function render({ model, el }) {
  const field = document.createElement("label");
  field.className = "file-drop";
  field.textContent = model.get("description");
  field.style.cssText =
    "display:inline-block;padding:6px 14px;border:1px dashed #767676;" +
    "border-radius:4px;cursor:pointer;line-height:1.4";
  const input = document.createElement("input");
  input.type = "file";
  input.accept = "image/*";
  input.style.cssText = "position:absolute;opacity:0;width:1px;height:1px";
  field.append(input);

  const send = async ([file]) => {
    if (!file) return;
    model.send({ name: file.name }, undefined, [await file.arrayBuffer()]);
    input.value = ""; // the same file can be chosen again
  };
  const over = (on) => (event) => {
    event.preventDefault(); // the browser would open the file instead
    event.stopPropagation();
    field.style.background = on ? "rgb(23 80 122 / 15%)" : "";
  };
  input.addEventListener("change", () => send([...input.files]));
  input.addEventListener("focus", () => (field.style.outline = "2px solid #17507a"));
  input.addEventListener("blur", () => (field.style.outline = ""));
  field.addEventListener("dragover", over(true));
  field.addEventListener("dragleave", over(false));
  field.addEventListener("drop", (event) => {
    over(false)(event);
    send([...event.dataTransfer.files]);
  });
  el.append(field);
}

export default { render };
