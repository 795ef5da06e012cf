// What several scripts need: a word for who cannot see the page, a notice beside what was pressed, a part of the page
// that must stand as it is, and a form sent without leaving it.
// keep.js adds `loa.store`, where a page needs to keep something.
window.loa = {
  // Says something politely; the same words are said again. Whoever reads the page later does not meet them twice.
  say(text) {
    const place = document.getElementById("said");
    clearTimeout(this.saying);
    place.textContent = "";
    this.saying = setTimeout(() => {
      place.textContent = text;
      this.saying = setTimeout(() => { place.textContent = ""; }, 20000);
    }, 50);
  },

  // Says beside something what became of it, and leaves it there; "alert" at once, "status" when the reader is free.
  // `seen`: the page is rolled to where it stands.
  note(place, text, role = "alert", seen = true) {
    this.unnote(place);
    const note = document.createElement("div"), words = document.createElement("p");
    note.className = "notice care";
    note.dataset.note = "";
    note.setAttribute("role", role);
    note.append(words);
    place.after(note);
    words.textContent = text; // once it stands there: only then is it read aloud
    if (seen) note.scrollIntoView({ block: "nearest" });
  },

  noted: (place) => place.nextElementSibling?.matches("[data-note]") ?? false,

  unnote(place) {
    if (this.noted(place)) place.nextElementSibling.remove();
  },

  // Lets no part be redrawn while `held(part)`, by a look of its own or by an answer asked for before. `again()` looks at
  // those that missed something, `forget()` when what they missed has come by another way.
  still(held) {
    const behind = new Set();
    for (const name of ["loa:look", "htmx:before:swap"]) {
      document.addEventListener(name, (event) => {
        const part = event.detail?.ctx?.target ?? event.target;
        if (!(part instanceof Element) || !held(part)) return;
        behind.add(part.id);
        event.preventDefault();
        event.stopImmediatePropagation();
      }, true);
    }
    return {
      forget: () => behind.clear(),
      again() {
        const missed = [...behind];
        behind.clear();
        for (const id of missed) document.getElementById(id)?.dispatchEvent(new CustomEvent("loa:look"));
      },
    };
  },

  // Sends a form. Gives {ok, status, text}; an ended session leads to sign-in, a lost link gives status 0.
  async post(path, form) {
    const body = new URLSearchParams(form instanceof HTMLFormElement ? new FormData(form) : form);
    try {
      const answer = await fetch(path, { method: "POST", body, headers: { "HX-Request": "true", "HX-Current-URL": location.href } });
      const away = answer.headers.get("HX-Redirect");
      if (away) location.assign(away);
      return { ok: answer.ok, status: answer.status, text: await answer.text() };
    } catch {
      return { ok: false, status: 0, text: "" };
    }
  },
};
