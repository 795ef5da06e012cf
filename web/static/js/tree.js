// In a tree of places, a chosen place covers all below it: those are shown as chosen and are not sent again. What a place
// holds is read when it is opened; what was picked on a map stands in a list of its own until the tree shows it.
(() => {
  const AT_ONCE = 50, ASK_MS = 20000;
  const box = (scope) => document.querySelector(`.tree input[value="${CSS.escape(scope)}"]`);
  const isChosen = (scope) => Boolean(document.querySelector(`[name=target][value="${CSS.escape(scope)}"]:checked`));

  function cover(upper) {
    for (const child of upper.closest("li").querySelectorAll(":scope ul input[type=checkbox]")) {
      child.checked = upper.checked;
      child.disabled = upper.checked;
    }
  }

  // What was picked and lies in a chosen place is sent with that place.
  function coverPicked() {
    for (const picked of document.querySelectorAll(".picked input")) {
      picked.disabled = picked.dataset.over.split(" ").some(isChosen);
    }
  }

  async function open(part) {
    const list = part.querySelector(".inside"), tree = part.closest(".tree");
    part.dataset.reading = "yes";
    try {
      const answer = await fetch(part.dataset.inside, { headers: { "HX-Request": "true", "HX-Current-URL": location.href } });
      const away = answer.headers.get("HX-Redirect");
      if (away) return location.assign(away);
      if (!answer.ok) throw new Error(answer.status);
      list.innerHTML = await answer.text();
      delete part.dataset.inside;
    } catch { // opened again, it is asked for again
      list.querySelector("[role=status]").textContent = tree.dataset.failed;
      return;
    } finally {
      delete part.dataset.reading;
    }
    for (const child of list.querySelectorAll("input[type=checkbox]")) {
      const picked = document.querySelector(`.picked input[value="${CSS.escape(child.value)}"]`);
      if (!picked) continue;
      child.checked = picked.checked;
      picked.closest("li").remove();
    }
    const upper = part.closest("li.area").querySelector(":scope > label input");
    if (upper.checked) cover(upper);
    else for (const each of list.querySelectorAll("input:checked:not(:disabled)")) cover(each);
  }

  // What was chosen and stands in no open part of the tree stands in a list of its own; `over`: what it lies in.
  function listed(scope, said, over = []) {
    const list = document.querySelector(".picked");
    if (!list) return null;
    const line = document.createElement("li"), label = document.createElement("label"), input = document.createElement("input"), name = document.createElement("span");
    label.className = "choice";
    Object.assign(input, { type: "checkbox", name: "target", value: scope, checked: true });
    input.dataset.over = over.join(" ");
    name.textContent = said;
    label.append(input, " ", name);
    line.append(label);
    list.append(line);
    input.dispatchEvent(new Event("change", { bubbles: true }));
    return input;
  }

  // What the centre knows of places that no part of this page has read: those that are not there any more are left out.
  async function known(scopes) {
    const found = [];
    for (let first = 0; first < scopes.length; first += AT_ONCE) {
      const asked = new URLSearchParams(scopes.slice(first, first + AT_ONCE).map((scope) => ["scope", scope]));
      const answer = await fetch(`/targets/chosen.json?${asked}`, { headers: { Accept: "application/json" }, signal: AbortSignal.timeout(ASK_MS) });
      if (!answer.ok) throw new Error(answer.status);
      found.push(...await answer.json());
    }
    return found;
  }

  const called = ({ name, place }) => (place ? `${name} · ${place}` : name);

  document.addEventListener("toggle", (event) => {
    const part = event.target;
    if (part.matches?.("details[data-inside]") && part.open && !part.dataset.reading) open(part);
  }, true); // it does not bubble
  document.addEventListener("change", (event) => {
    if (event.target.matches(".tree input[type=checkbox]")) cover(event.target);
    if (event.target.name === "target") coverPicked();
  });
  for (const each of document.querySelectorAll(".tree input[type=checkbox]:checked:not(:disabled)")) cover(each);
  coverPicked();
  for (const each of document.querySelectorAll("details[data-inside][open]")) open(each); // before this script was here
  window.loa.targets = { box, called, isChosen, known, listed };

  // Few choose on the map: its script (pick.js) comes when it is opened for the first time.
  const map = document.getElementById("by-map");
  const note = (code) => { map.querySelector(".note").textContent = map.querySelector("template").content.querySelector(`[data-code="${code}"]`).textContent; };
  const draw = () => {
    if (!map?.open || map.dataset.asked) return;
    map.dataset.asked = "yes";
    note("opening");
    const script = Object.assign(document.createElement("script"), { src: map.dataset.pick });
    script.onerror = () => {
      script.remove();
      delete map.dataset.asked; // opened again, it is asked for again
      note("failed");
    };
    document.head.append(script);
  };
  map?.addEventListener("toggle", draw);
  draw();
})();
