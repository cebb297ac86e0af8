// Volumes in three planes and in 3D. Nothing is unpacked before the button is pressed, or the page
// is opened with #look; NiiVue and the volumes lie in the page, so no network is needed.
(() => {
  const box = document.querySelector(".viewer");
  const start = box.querySelector(".start"), stage = box.querySelector(".stage");
  const said = box.querySelector(".said");
  const volumes = [...document.querySelectorAll("script.volume")];
  const views = [];

  async function unpacked(element) {
    const packed = Uint8Array.from(atob(element.textContent.trim()), (c) => c.charCodeAt(0));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(stream).text();
  }

  async function loadNiivue() {
    const script = document.createElement("script");
    script.textContent = await unpacked(document.querySelector("script.niivue"));
    document.body.append(script); // runs at once; the page's policy knows it by its content
  }

  async function show(view, number) {
    const image = await niivue.NVImage.loadFromBase64({
      base64: volumes[number].textContent.trim(), name: `${number}.nii.gz`, cal_min: 0, cal_max: 255,
    });
    while (view.nv.volumes.length) view.nv.removeVolumeByIndex(0);
    view.nv.addVolume(image);
    view.nv.createOnLocationChange(); // tells where the crosshair is
  }

  async function open(element, number) {
    const nv = new niivue.Niivue({
      backColor: [0, 0, 0, 1], crosshairColor: [0.25, 0.65, 0.95, 0.8], crosshairWidth: 0.5,
      dragAndDropEnabled: false, logLevel: "error", show3Dcrosshair: true,
      multiplanarShowRender: 1, // 3D beside the three planes
    });
    const view = { nv, place: element.querySelector("output") };
    nv.onLocationChange = (at) => {
      const [x, y, z] = [...at.mm].map((mm) => mm.toFixed(0));
      view.place.textContent = `${x}, ${y}, ${z} mm: ${(at.values[0].value / 255).toFixed(2)}`;
    };
    await nv.attachToCanvas(element.querySelector("canvas"));
    await show(view, number);
    const chosen = element.querySelector("select");
    chosen.value = number;
    chosen.addEventListener("change", () => show(view, Number(chosen.value)));
    views.push(view);
  }

  function turnTo(kind) {
    for (const { nv } of views) nv.setSliceType(kind === "3d" ? nv.sliceTypeRender : nv.sliceTypeMultiplanar);
    for (const button of box.querySelectorAll("[data-kind]")) {
      button.setAttribute("aria-pressed", button.dataset.kind === kind);
    }
  }

  async function look() {
    start.disabled = true;
    try {
      if (!document.createElement("canvas").getContext("webgl2")) throw new Error("it has no WebGL 2");
      stage.hidden = false; // before NiiVue measures the canvas
      await loadNiivue();
      const elements = [...stage.querySelectorAll(".view")];
      for (const [i, element] of elements.entries()) await open(element, i);
      if (views.length > 1) { // one crosshair for both
        views[0].nv.broadcastTo([views[1].nv], { "2d": true, "3d": true });
        views[1].nv.broadcastTo([views[0].nv], { "2d": true, "3d": true });
      }
      turnTo(location.hash === "#look-3d" ? "3d" : "planes");
      start.hidden = true;
      box.dataset.state = "ready";
    } catch (error) {
      stage.hidden = true;
      said.textContent = `This browser cannot show volumes: ${error.message}.`;
      throw error;
    }
  }

  start.hidden = false;
  start.addEventListener("click", look);
  for (const button of box.querySelectorAll("[data-kind]")) {
    button.addEventListener("click", () => turnTo(button.dataset.kind));
  }
  if (location.hash.startsWith("#look")) look();
})();
