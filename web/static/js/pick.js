// Places and nodes picked on a map, with or without pictures of the ground: whatever is pressed there is ticked in the tree
// beside it, or listed below the map where the tree is not open so far. By keyboard one goes through the tree.
(() => {
  const part = document.getElementById("by-map");
  if (!part) return;
  const SVG = "http://www.w3.org/2000/svg";
  const { targets } = window.loa;
  const place = part.querySelector(".map"), note = part.querySelector(".note"), move = part.querySelector(".move");
  const list = document.querySelector(".picked");
  const words = (code) => part.querySelector("template").content.querySelector(`[data-code="${code}"]`).textContent;
  const touches = matchMedia("(pointer: coarse)").matches;
  const spots = new Map();
  let state = "";

  const load = (tag, given) => new Promise((done, fail) => {
    const element = Object.assign(document.createElement(tag), given, { onload: done, onerror: fail });
    document.head.append(element);
  });

  function pick(spot) {
    const ticked = targets.box(spot.scope), picked = list.querySelector(`input[value="${CSS.escape(spot.scope)}"]`);
    const over = spot.over.filter((scope) => scope !== spot.scope).find(targets.isChosen);
    if (over) { tell("covered", spots.get(over)?.spot.name ?? targets.box(over)?.closest("label").textContent.trim() ?? ""); return; }
    note.textContent = "";
    if (ticked) {
      for (let fold = ticked.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
      return ticked.click();
    }
    if (picked) return picked.click();
    targets.listed(spot.scope, targets.called(spot), spot.over);
  }

  function tell(code, where = "") {
    note.textContent = words(code).replace("{place}", () => where);
  }

  function shape(spot) {
    const box = document.createElement("div");
    if (!spot.icon) {
      box.className = "area-spot";
      box.textContent = `${spot.name} · ${spot.said}`;
      return L.divIcon({ html: box, className: "area-pin", iconSize: null });
    }
    const svg = document.createElementNS(SVG, "svg"), use = document.createElementNS(SVG, "use");
    box.className = `spot ${spot.tone}`;
    svg.setAttribute("viewBox", "0 0 24 24");
    use.setAttribute("href", `${part.dataset.icons}#${spot.icon}`);
    svg.append(use);
    box.append(svg);
    return L.divIcon({ html: box, className: "", iconSize: [44, 44] });
  }

  // How each stands: chosen by itself, or with what it lies in.
  function mark() {
    for (const { spot, marker } of spots.values()) {
      const chosen = targets.isChosen(spot.scope) || spot.over.some(targets.isChosen);
      marker.getElement()?.firstChild.classList.toggle("chosen", chosen);
    }
  }

  function draw(found) {
    const map = L.map(place, { attributionControl: false, zoomControl: false, dragging: !touches, scrollWheelZoom: false, minZoom: 2, maxZoom: 19 });
    L.control.zoom({ zoomInTitle: part.dataset.in, zoomOutTitle: part.dataset.out }).addTo(map);
    if (part.dataset.tiles) {
      L.tileLayer(part.dataset.tiles, { maxZoom: 19, minNativeZoom: Number(part.dataset.least), maxNativeZoom: Number(part.dataset.most) }).addTo(map);
    }
    const all = [...found.nodes, ...found.areas];
    for (const spot of all) {
      const said = spot.word ? `${spot.name}: ${spot.word}` : `${spot.name} · ${spot.said}`;
      const marker = L.marker(spot.at, { icon: shape(spot), title: said, keyboard: false, zIndexOffset: spot.icon ? 1000 : 0 });
      marker.on("click", () => pick(spot));
      marker.addTo(map);
      spots.set(spot.scope, { spot, marker });
    }
    // Whole shapes, and none below the buttons at the left that come nearer and go back.
    const room = { paddingTopLeft: [72, 22], paddingBottomRight: [20, 22], maxZoom: 15, animate: false };
    map.fitBounds(L.latLngBounds(all.map((spot) => spot.at)), room);
    mark();
    move.hidden = !touches;
    move.addEventListener("click", () => {
      const moves = place.classList.toggle("moves");
      map.dragging[moves ? "enable" : "disable"]();
      move.setAttribute("aria-pressed", String(moves));
    });
  }

  async function open() {
    if (!part.open || state) return;
    state = "opening";
    tell("opening");
    try {
      const answer = await fetch(part.dataset.spots, { headers: { "HX-Request": "true", "HX-Current-URL": location.href } });
      if (!answer.ok) throw new Error(answer.status);
      const found = await answer.json();
      place.hidden = !found.nodes.length && !found.areas.length;
      if (place.hidden) { tell("nowhere"); return; }
      if (!window.L) {
        await load("link", { rel: "stylesheet", href: part.dataset.style });
        await load("script", { src: part.dataset.script });
      }
      note.textContent = "";
      draw(found);
    } catch { // opened again, it is tried again
      state = "";
      tell("failed");
    }
  }

  part.addEventListener("toggle", open);
  open(); // tree.js asks for this script when it is opened
  document.addEventListener("change", (event) => { if (event.target.name === "target") mark(); });
})();
