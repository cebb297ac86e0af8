// A slider over pictures: without this script all of them are shown, one below the other.
for (const box of document.querySelectorAll(".slider")) {
  const frames = [...box.querySelectorAll(".frame")];
  const bar = box.querySelector("input"), shown = box.querySelector("output");
  const show = (n) => {
    frames.forEach((frame, i) => { frame.hidden = i !== n; });
    shown.textContent = frames[n].dataset.label;
  };
  box.classList.add("live");
  bar.max = frames.length - 1;
  bar.value = bar.max;
  bar.parentElement.hidden = frames.length < 2;
  bar.addEventListener("input", () => show(Number(bar.value)));
  show(frames.length - 1);
}
