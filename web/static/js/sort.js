// A programme put together without leaving the page: dragged by the handle, moved with Alt and the arrows, and the
// buttons of its forms answered in place. Without this they are forms like any other.
(() => {
  const EDGE = 60, STEP = 12; // px: where a drag scrolls the page, and by how much at a time
  const part = () => document.getElementById("programme");
  const items = () => [...document.querySelectorAll("#items > .item")];
  const said = (key, values) => Object.entries(values).reduce((text, [name, value]) => text.replace(`{${name}}`, value), part().dataset[key]);
  let dragged = null, busy = false;
  const asks = () => part().querySelector("form[role=alert]"); // whether a change that would do harm is meant
  // What others change is shown when the hand is off and nothing is asked; an answer that was asked for before would put
  // the old order back.
  const still = loa.still((each) => each === part() && (dragged || busy || asks()));

  async function send(fields, focus, words) {
    if (busy) return;
    busy = true;
    still.forget(); // the centre's answer is newer than whatever was missed until now
    const whole = part();
    whole.setAttribute("aria-busy", "true");
    const answer = await loa.post(whole.dataset.to, { version: whole.dataset.version, ...fields });
    busy = false;
    whole.removeAttribute("aria-busy");
    const found = new DOMParser().parseFromString(answer.text, "text/html").getElementById("programme");
    if (!answer.ok || !found) {
      restore();
      fail();
      return;
    }
    const fresh = document.adoptNode(found);
    whole.replaceWith(fresh);
    htmx.process(fresh);
    for (const each of document.querySelectorAll("main input[name=version]")) each.value = fresh.dataset.version;
    if (fresh.querySelector("[role=alert]")) {
      fresh.querySelector("[role=alert]").scrollIntoView({ block: "nearest" });
      return;
    }
    if (words) loa.say(words);
    focus?.();
    still.again();
  }

  function fail() {
    const note = document.createElement("div"), words = document.createElement("p");
    note.className = "notice care";
    note.setAttribute("role", "alert");
    words.textContent = part().dataset.failed;
    note.append(words);
    part().querySelector(":scope > [role=alert]")?.remove();
    part().prepend(note);
  }

  function restore() { // as the centre last said it
    const list = document.getElementById("items");
    list?.querySelector(".placeholder")?.remove();
    items().sort((one, other) => Number(one.dataset.position) - Number(other.dataset.position)).forEach((each) => list.append(each));
  }

  const focusOn = (position, name) => () => {
    const row = items()[Math.min(position, items().length - 1)];
    (row?.querySelector(`button[value=${name}]`) ?? row?.querySelector("button"))?.focus();
  };

  // Buttons of the forms that stand here.
  document.addEventListener("submit", (event) => {
    const form = event.target, button = event.submitter;
    if (!form.matches("form[data-quiet]")) return;
    event.preventDefault();
    const fields = Object.fromEntries(new FormData(form, button));
    const row = form.closest(".item"), position = Number(fields.position), count = items().length;
    const title = row?.dataset.title ?? form.closest(".choosable")?.dataset.title ?? items()[position]?.dataset.title ?? "";
    delete fields.version; // the one in sight counts
    const to = { up: position - 1, down: position + 1, to: Number(fields.to) - 1 }[fields.act];
    if (fields.act === "remove") send(fields, focusOn(position, "remove"), said("removed", { title }));
    else if (to === undefined) {
      send(fields, () => { form.reset(); }, title ? said("added", { title }) : "");
    } else send(fields, focusOn(to, fields.act), said("moved", { position: to + 1, count, title }));
  });

  // Alt and an arrow.
  document.addEventListener("keydown", (event) => {
    const row = event.target.closest?.("#items > .item");
    if (event.key === "Escape" && dragged) return end(false);
    if (!row || !event.altKey || !["ArrowUp", "ArrowDown"].includes(event.key) || !row.querySelector(".handle")) return;
    event.preventDefault();
    const up = event.key === "ArrowUp", position = Number(row.dataset.position), to = position + (up ? -1 : 1);
    if (to < 0 || to >= items().length) return;
    const words = said("moved", { position: to + 1, count: items().length, title: row.dataset.title });
    send({ act: up ? "up" : "down", position }, focusOn(to, up ? "up" : "down"), words);
  });

  // The handle: only there a finger drags, everywhere else it scrolls.
  document.addEventListener("pointerdown", (event) => {
    const handle = event.target.closest?.(".handle");
    const row = handle?.closest(".item, .choosable");
    if (!row || busy || event.button !== 0) return;
    event.preventDefault();
    handle.setPointerCapture(event.pointerId);
    const list = document.getElementById("items");
    const isNew = row.matches(".choosable");
    const moving = isNew ? document.createElement("li") : row;
    if (isNew) {
      moving.className = "item placeholder";
      moving.textContent = row.dataset.title;
    }
    dragged = { handle, row, moving, isNew, list, pointer: event.pointerId, moved: false };
    row.classList.add("dragged");
  });

  document.addEventListener("pointermove", (event) => {
    if (!dragged || event.pointerId !== dragged.pointer) return;
    const { list, moving, isNew } = dragged;
    if (event.clientY < EDGE) scrollBy(0, -STEP);
    if (event.clientY > innerHeight - EDGE) scrollBy(0, STEP);
    const box = list.getBoundingClientRect();
    const over = event.clientX > box.left && event.clientX < box.right && event.clientY > box.top - EDGE && event.clientY < box.bottom + EDGE;
    if (isNew && !over) return moving.remove();
    const others = [...list.children].filter((each) => each !== moving && each.matches(".item"));
    const before = others.find((each) => {
      const { top, height } = each.getBoundingClientRect();
      return event.clientY < top + height / 2;
    });
    if (before ? moving.nextElementSibling !== before : moving !== list.lastElementChild) {
      list.insertBefore(moving, before ?? null);
      dragged.moved = true;
    }
  });

  function end(keeps) {
    const { row, moving, isNew, list, moved } = dragged;
    dragged = null;
    row.classList.remove("dragged");
    const at = [...list.children].filter((each) => each.matches(".item")).indexOf(moving);
    if (isNew) moving.remove();
    if (!keeps || !moved || at < 0) {
      restore();
      return still.again();
    }
    const title = row.dataset.title;
    if (isNew) return send({ act: "add", kind: row.dataset.kind, chosen: row.dataset.chosen, at }, null, said("added", { title }));
    const order = items().map((each) => each.dataset.position).join(",");
    const words = said("moved", { position: at + 1, count: items().length, title });
    return send({ act: "order", order }, null, words);
  }
  document.addEventListener("pointerup", (event) => { if (dragged?.pointer === event.pointerId) end(true); });
  document.addEventListener("pointercancel", (event) => { if (dragged?.pointer === event.pointerId) end(false); });
})();
