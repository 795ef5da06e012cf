// The map of the nodes, with or without pictures of the ground: shapes and colours as everywhere, names beside them.
// One finger scrolls the page; the map is moved after it was asked to. Who goes by keyboard, or reads, has the list.
(() => {
  const place = document.getElementById("map"), move = document.getElementById("move-map"), said = document.getElementById("map-said");
  if (!place || !window.L) return;
  const SVG = "http://www.w3.org/2000/svg";
  const FEW = 30; // so many names stand beside their shapes
  const APART = 44; // shapes nearer than this, in dots, are one: a finger could not tell them apart
  const { icons, tiles, least, most, several } = place.dataset;
  const touches = matchMedia("(pointer: coarse)").matches;
  const map = L.map(place, {
    attributionControl: false, zoomControl: false, dragging: !touches, scrollWheelZoom: false, keyboard: false, minZoom: 2, maxZoom: 19,
  });
  L.control.zoom({ zoomInTitle: place.dataset.in, zoomOutTitle: place.dataset.out }).addTo(map);
  if (tiles) L.tileLayer(tiles, { minNativeZoom: Number(least), maxNativeZoom: Number(most), maxZoom: 19 }).addTo(map);
  const drawn = new Map();
  let spots = [], shown = false;

  function made(name, cls, text = "") {
    const found = document.createElement(name);
    found.className = cls;
    found.textContent = text;
    return found;
  }

  function shape({ icon, tone }, count) {
    const box = made("div", `spot ${tone}`), svg = document.createElementNS(SVG, "svg"), use = document.createElementNS(SVG, "use");
    svg.setAttribute("viewBox", "0 0 24 24");
    svg.setAttribute("aria-hidden", "true");
    use.setAttribute("href", `${icons}#${icon}`);
    svg.append(use);
    box.append(svg);
    if (count > 1) box.append(made("b", "of", count));
    return L.divIcon({ html: box, className: "", iconSize: [APART, APART] });
  }

  // What would stand on each other at this zoom goes together, under the one that most needs a hand: spots come so sorted.
  function gathered() {
    const cells = new Map(), groups = [], zoom = map.getZoom(), seen = map.getBounds().pad(0.25);
    for (const spot of spots) {
      if (!seen.contains(spot.at)) continue;
      const at = map.project(spot.at, zoom), column = Math.floor(at.x / APART), row = Math.floor(at.y / APART);
      const near = [-1, 0, 1].flatMap((right) => [-1, 0, 1].map((down) => cells.get(`${column + right},${row + down}`))).flat()
        .find((group) => group && group.dots.distanceTo(at) < APART);
      if (near) { near.spots.push(spot); continue; }
      const group = { dots: at, spots: [spot] }, cell = `${column},${row}`;
      groups.push(group);
      cells.set(cell, [...(cells.get(cell) ?? []), group]);
    }
    return groups.map((group) => group.spots);
  }

  function names(group) { // of nodes that stand on one spot however near one looks
    const list = made("ul", "");
    for (const spot of group) {
      const link = made("a", "", `${spot.name}: ${spot.word}`), line = made("li", "");
      link.href = `/nodes/${spot.id}`;
      line.append(link);
      list.append(line);
    }
    return list;
  }

  function press(group, marker) {
    if (group.length === 1) { location.assign(`/nodes/${group[0].id}`); return; }
    const all = L.latLngBounds(group.map((spot) => spot.at));
    const zoom = Math.min(map.getBoundsZoom(all.pad(0.25)), map.getMaxZoom());
    if (zoom <= map.getZoom()) marker.unbindPopup().bindPopup(names(group), { closeButton: false, maxHeight: 240 }).openPopup();
    else map.setView(all.getCenter(), zoom, { animate: false });
  }

  function draw() {
    const groups = gathered(), named = groups.length <= FEW && place.clientWidth > 500, here = new Set();
    for (const group of groups) {
      const [worst] = group, name = group.length === 1
        ? `${worst.name}: ${worst.word}` : several.replace("{count}", group.length).replace("{worst}", () => worst.word);
      const key = JSON.stringify([worst.at, worst.icon, name, named, group.map((spot) => spot.id)]);
      here.add(key);
      if (drawn.has(key)) continue;
      const marker = L.marker(worst.at, { icon: shape(worst, group.length), keyboard: false, title: name });
      marker.bindTooltip(made("span", "", name), { permanent: named && group.length === 1, direction: "auto", offset: [14, 0] });
      marker.on("click", () => press(group, marker));
      marker.addTo(map);
      const box = marker.getElement();
      box.setAttribute("role", "img");
      box.setAttribute("aria-label", name);
      drawn.set(key, marker);
    }
    for (const [key, marker] of drawn) if (!here.has(key)) { marker.remove(); drawn.delete(key); }
  }

  function show({ marks, spots: found }) {
    spots = found.map(([id, name, north, east, which]) => {
      const [icon, tone, word] = marks[which];
      return { id, name, at: [north, east], icon, tone, word };
    });
    if (!spots.length) return;
    // Whole shapes, and none below the buttons that come nearer and go back, which stand at the left.
    const room = { paddingTopLeft: [80, 24], paddingBottomRight: [24, 24], maxZoom: 15, animate: false };
    if (!shown) map.fitBounds(L.latLngBounds(spots.map((spot) => spot.at)), room);
    shown = true;
    draw();
  }

  async function look() {
    if (!shown) said.textContent = place.dataset.coming;
    let came = false;
    try {
      const answer = await fetch(place.dataset.spots, { headers: { "HX-Request": "true", "HX-Current-URL": location.href } });
      came = answer.ok;
      if (came) show(await answer.json());
    } catch { /* the page says that the link is lost */ }
    said.textContent = came || shown ? "" : place.dataset.lost;
  }

  if (touches) {
    move.hidden = false;
    move.addEventListener("click", () => {
      const moves = place.classList.toggle("moves");
      map.dragging[moves ? "enable" : "disable"]();
      move.setAttribute("aria-pressed", String(moves));
    });
  }
  map.on("zoomend moveend resize", () => { if (shown) draw(); });
  place.addEventListener("loa:look", look);
  look();
})();
