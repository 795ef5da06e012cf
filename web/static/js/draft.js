// What is being typed into a form with data-draft is kept on this device, for this person alone, for a week. By itself only
// that form is given back on whose page the session ended, or whose sending got no good answer, to the same person and
// within minutes. Whatever else was kept is offered by name (draft_words.js); of a form with data-offer (Phát ngay: what was
// meant before must not be one tap from being said) all is. It is wiped when what was sent did arrive, and at sign-out
// (shell.js). Passwords, codes, files, hidden fields, telephone numbers and logins are never kept; of a recording its name
// at the centre is. With data-brief it is kept for minutes and never offered: it only comes back by itself.
// Of a form with data-stands only what was changed in it comes back (draft_own.js).
// What a tab wrote is kept in that tab, and only that comes back by itself; all tabs are offered what was written last, and
// what was offered before and neither taken nor dropped when something else was written.
(() => {
  const WEEK_MS = 7 * 24 * 3600 * 1000, MINUTES_MS = 10 * 60 * 1000, SAVE_MS = 400;
  // Of this tab, from page to page. SENT: the draft that was sent; OPEN: those that were written on the page that was left;
  // ENDED: a sign-in came between (ended.js); REFUSED: it was refused on a page without the frame (failed.js); LOST: the
  // page without a link came between (offline.js).
  const SENT = "loa:draft-sent", OPEN = "loa:draft-open", ENDED = "loa:ended", REFUSED = "loa:draft-refused", LOST = "loa:draft-lost";
  const LOOKED = "loa:draft-looked"; // nothing was sent of that one: a look at what would become of it was asked for
  const LEAVES = "loa:leaves"; // signs out: nothing is kept any more, see shell.js
  const { person } = document.body.dataset;
  const HERE = `${Date.now()}-${Math.random()}`; // who wrote it: this page
  const NEVER = new Set(["code", "approval_code", "login", "phone"]);
  const forms = [...document.querySelectorAll("form[data-draft]")];
  const keyOf = (form) => `loa:draft:${person}:${form.dataset.draft}`;
  const earlierOf = (form) => `${keyOf(form)}:earlier`;
  const written = new Set(); // on this page
  const stood = new Map(); // form → how it stood when it was first shown, where others change what it is of
  const offered = new Map(); // form → the draft that is offered, until somebody takes or drops it
  let giving = false;

  function read(key, where = localStorage) {
    try {
      const found = JSON.parse(where.getItem(key));
      if (found && Date.now() - found.at < WEEK_MS) return found;
    } catch { /* not ours: below it goes */ }
    where.removeItem(key);
    return null;
  }

  function keep(key, draft, where) {
    try {
      where.setItem(key, JSON.stringify(draft));
    } catch { /* a browser that keeps nothing still sends */ }
  }

  // Whether no other tab has written since.
  const isLast = (key, draft) => read(key)?.by === draft.by;

  function change(key, draft, changes) {
    const isOffered = isLast(key, draft);
    Object.assign(draft, changes);
    keep(key, draft, sessionStorage);
    if (isOffered) keep(key, draft, localStorage);
  }

  function forget(key, draft) {
    if (isLast(key, draft)) localStorage.removeItem(key);
    sessionStorage.removeItem(key);
    written.delete(key);
  }

  function take(name) {
    const found = sessionStorage.getItem(name);
    sessionStorage.removeItem(name);
    return found;
  }

  // Other people's drafts are not read; those that are too old go, whose ever they are.
  for (const where of [localStorage, sessionStorage]) {
    for (const key of Object.keys(where)) if (key.startsWith("loa:draft:")) read(key, where);
  }

  const fieldsOf = (form) => [...form.elements].filter((each) => each.name && !["hidden", "password", "file", "tel", "submit", "button"].includes(each.type)
    && !NEVER.has(each.name) && each.autocomplete !== "one-time-code" && !each.disabled && each.tagName !== "FIELDSET");
  const isTicked = (field) => field.type === "radio" || field.type === "checkbox";

  const valuesOf = (form) => fieldsOf(form).map((each) => [each.name, isTicked(each) ? [each.value, each.checked] : each.value]);
  const recordingOf = (form) => form.querySelector("#recording [data-again]")?.value ?? "";
  // The cards of what was chosen, by their places: where each is asked for again.
  const cardsOf = (form) => Object.fromEntries([...form.querySelectorAll("[data-card]")]
    .map((place) => [place.id, place.querySelector("[data-again]")?.dataset.again]).filter(([, again]) => again));

  // The words of what is chosen: what is read only when it is opened is not there to be asked another time.
  function labelsOf(form) {
    const labels = {};
    for (const each of fieldsOf(form)) {
      if (isTicked(each) ? each.checked : each.tagName === "SELECT") {
        labels[`${each.name}=${each.value}`] = isTicked(each) ? loa.drafts.labelOf(each) : each.selectedOptions[0]?.textContent.trim() ?? "";
      }
    }
    return labels;
  }

  const wordsOf = (draft, name, value) => draft.labels?.[`${name}=${value}`] || document.getElementById("draft-notice").dataset.nameless;

  // `state`: "typed", "sent" (what became of it is not known) or "unsent" (it was not taken).
  function save(form, state = "typed") {
    if (sessionStorage.getItem(LEAVES)) return;
    const recording = recordingOf(form), title = form.querySelector("#recording [data-title]")?.dataset.title ?? "";
    const draft = { at: Date.now(), by: HERE, state, fields: valuesOf(form), labels: labelsOf(form), recording, title, cards: cardsOf(form), stood: stood.get(form) };
    written.add(keyOf(form));
    if (offered.has(form)) keep(earlierOf(form), offered.get(form), localStorage); // its place is taken now
    keep(keyOf(form), draft, sessionStorage);
    if (!("brief" in form.dataset)) keep(keyOf(form), draft, localStorage);
  }

  function unfold(form, part) {
    for (let fold = part.closest("details"); fold && form.contains(fold); fold = fold.parentElement.closest("details")) fold.open = true;
  }

  // As many rows as there were: a template stands for one, with N for its number.
  function grow(form, draft) {
    const row = form.querySelector("template[data-draft-rows]");
    for (let number = 0; row && draft.fields.some(([name]) => name.endsWith(`-${number}`)); number += 1) {
      if ([...form.elements].some((each) => each.name.endsWith(`-${number}`))) continue;
      const one = row.content.firstElementChild.cloneNode(true);
      for (const each of one.querySelectorAll("input")) each.name = each.id = each.name.replace("-N", `-${number}`);
      for (const each of one.querySelectorAll("label")) each.htmlFor = each.htmlFor.replace("-N", `-${number}`);
      row.previousElementSibling.append(one);
    }
  }

  // A recording is the whole of what was said: its card stands there again, or says that it is gone.
  function bringBack(form, draft) {
    const there = cardsOf(form);
    for (const place of form.querySelectorAll("[data-card]")) {
      const again = draft.cards?.[place.id], at = `#${CSS.escape(place.id)}`;
      if (!again?.startsWith("/say/") || again === there[place.id]) continue;
      unfold(form, place);
      htmx.ajax("GET", again, { target: at, source: at, swap: "innerHTML" });
    }
  }

  function fill(form, field, value) {
    if (isTicked(field)) {
      if (field.checked === value[1]) return;
      field.checked = value[1];
    } else {
      if (field.value === value || (field.tagName === "SELECT" && ![...field.options].some((each) => each.value === value))) return;
      field.value = value;
    }
    unfold(form, field);
    field.dispatchEvent(new Event("input", { bubbles: true }));
    field.dispatchEvent(new Event("change", { bubbles: true }));
  }

  // Puts back what was kept; gives the words of what has no place in the form any more, and places that this page has not
  // read so far.
  function give(form, whole) {
    const draft = loa.drafts.own(whole);
    giving = true;
    written.add(keyOf(form));
    change(keyOf(form), whole, { by: HERE });
    grow(form, draft);
    bringBack(form, draft);
    const gone = [], unread = [];
    for (const [name, value] of draft.fields) {
      if (!Array.isArray(value) || !value[0] || !value[1] || [...form.elements].some((each) => each.name === name && each.value === value[0])) continue;
      if (name === "target" && loa.targets) unread.push(value[0]);
      else gone.push(wordsOf(draft, name, value[0]));
    }
    const left = [...draft.fields];
    for (const field of fieldsOf(form)) {
      const same = ([name, value]) => name === field.name && (!isTicked(field) || value[0] === field.value);
      const found = left.findIndex(same);
      if (found >= 0) fill(form, field, left.splice(found, 1)[0][1]);
    }
    const around = form.closest("details");
    if (around) around.open = true;
    giving = false;
    return [gone, unread];
  }

  // Places that this page has not read are ticked beside the tree, by what the centre calls them now. Gives the words of
  // those that are not there any more, or of which it could not be asked.
  async function tick(form, draft, scopes) {
    const known = await loa.targets.known(scopes).catch(() => []);
    if (!written.has(keyOf(form))) return []; // it was dropped meanwhile
    giving = true;
    const gone = scopes.filter((scope) => {
      const it = known.find((each) => each.scope === scope), box = loa.targets.box(scope);
      if (it && loa.targets.isChosen(scope)) return false;
      if (it && box) fill(form, box, [scope, true]);
      return !it || !(box ?? loa.targets.listed(scope, loa.targets.called(it), it.over));
    });
    giving = false;
    return gone.map((scope) => wordsOf(draft, "target", scope));
  }

  // What fields mean, however the page shows them: an hour or a day is typed, or one of the usual ones is pressed.
  function meant(fields) {
    const ticked = new Map(), typed = new Map(), usual = new Map(), count = new Map();
    for (const [name, value] of fields) {
      if (!Array.isArray(value)) {
        const place = count.get(name) ?? 0; // some names stand several times
        count.set(name, place + 1);
        typed.set(`${name} ${place}`, value.trim());
      } else if (name.endsWith("_usual")) usual.set(name, (value[1] && value[0]) || usual.get(name) || "");
      else ticked.set(`${name} ${value[0]}`, value[1]);
    }
    for (const [name, value] of usual) {
      const place = `${name.slice(0, -"_usual".length)} 0`;
      typed.set(place, value || (typed.get(place) ?? ""));
    }
    return [ticked, typed];
  }

  // Whether giving it would change what the form means: nothing is offered, or told of, that stands there already.
  function differs(form, whole) {
    const draft = loa.drafts.own(whole);
    const [ticked, typed] = meant(draft.fields), [ticks, words] = meant(valuesOf(form));
    return [...ticked].some(([key, isOn]) => isOn !== (ticks.get(key) ?? false))
      || [...typed].some(([key, value]) => value !== (words.get(key) ?? ""))
      || Object.entries(draft.cards ?? {}).some(([id, again]) => again !== cardsOf(form)[id]);
  }

  function tell(form, draft, given, isEarlier = false) {
    const template = document.getElementById("draft-notice"), notice = template.content.firstElementChild.cloneNode(true);
    const held = loa.drafts.holds(loa.drafts.own(draft), valuesOf(form)), of = notice.querySelector("[data-of]"), gone = notice.querySelector("[data-gone]");
    of.textContent = template.dataset.of.replace("{when}", loa.drafts.when(draft.at)) + (held ? `: ${held}.` : ".");
    for (const each of notice.querySelectorAll("[data-state]")) if (each.dataset.state !== (draft.state ?? "typed")) each.remove();
    if (!given) notice.querySelector("[data-given]").remove();
    const put = async () => {
      const [lost, unread] = give(form, draft);
      if (unread.length) {
        gone.hidden = false;
        gone.textContent = template.dataset.asking;
        lost.push(...await tick(form, draft, unread));
      }
      gone.hidden = !lost.length;
      gone.textContent = template.dataset.gone.replace("{what}", () => lost.join(", "));
      return lost.length > 0;
    };
    const [use, drop] = notice.querySelectorAll("button");
    const { by } = draft; // it is this page's own as soon as it is taken
    const decided = () => {
      if (read(earlierOf(form))?.by === by) localStorage.removeItem(earlierOf(form));
      if (!isEarlier) offered.delete(form);
    };
    if (given) use.remove();
    else {
      if (!isEarlier) offered.set(form, draft);
      use.addEventListener("click", async () => {
        decided();
        const losing = put();
        form.querySelector("input:not([type=hidden]), textarea, select")?.focus();
        use.remove();
        if (!await losing) notice.remove();
      });
    }
    drop.addEventListener("click", () => {
      decided();
      if (!isEarlier) forget(keyOf(form), draft);
      if (given) { form.reset(); for (const each of form.querySelectorAll("[data-card]")) each.replaceChildren(); }
      notice.remove();
    });
    form.before(notice);
    if (given) put();
    loa.say(notice.querySelector("p").textContent.replace(/\s+/g, " "));
  }

  // What became of what was sent. It arrived where the page says so, or where the answer led elsewhere; it was not taken
  // where the session had ended, and where the answer is a refusal. Otherwise it is not known.
  function settle(sent, ended, lost, refused) {
    const draft = sent && read(sent, sessionStorage);
    if (!draft) return;
    const { responseStatus, redirectCount } = performance.getEntriesByType("navigation")[0] ?? {};
    const led = redirectCount > 0 && location.pathname !== "/today"; // whoever types the bare address is led there
    const done = new URLSearchParams(location.search).has("done") || document.querySelector("[data-draft-done]");
    const wrong = refused || responseStatus >= 400 || document.querySelector("form [aria-invalid=true]");
    if (!ended && !wrong && (done || led)) forget(sent, draft);
    else change(sent, draft, { state: (ended && !lost) || wrong ? "unsent" : "sent" });
  }

  const sent = take(SENT), open = take(OPEN)?.split("\n") ?? [], ended = take(ENDED) !== null, lost = take(LOST) !== null;
  const looked = take(LOOKED);
  settle(sent, ended, lost, take(REFUSED) !== null || document.querySelector("[data-draft-refused]") !== null);

  function comeBack(form) {
    const key = keyOf(form), own = read(key, sessionStorage), age = Date.now() - (own?.at ?? 0);
    const returns = (key === sent || (ended && open.includes(key))) && age >= 0 && age < MINUTES_MS;
    const draft = returns ? own : read(key);
    // The answer holds more than what was sent: words were read aloud, a look found something to choose.
    if (own && ("newer" in form.dataset || (key === looked && "answer" in document.body.dataset))) { save(form); return; }
    if ("brief" in form.dataset && !returns) sessionStorage.removeItem(key);
    const given = returns && !("offer" in form.dataset), earlier = read(earlierOf(form));
    if (draft && differs(form, draft)) tell(form, draft, given);
    if (earlier && !given && earlier.by !== draft?.by && differs(form, earlier)) tell(form, earlier, false, true);
  }

  // The scripts of the page, which know its rows and places, are here already: later.js.
  forms.forEach(comeBack);

  // In an answer stands what was typed: of that the page before it knows how it stood.
  for (const form of forms.filter((each) => "stands" in each.dataset)) {
    const own = "answer" in document.body.dataset ? read(keyOf(form), sessionStorage) : null;
    stood.set(form, own ? own.stood : { fields: loa.drafts.stood(fieldsOf(form)), cards: cardsOf(form) });
  }

  for (const form of forms) {
    let timer = null;
    if (loa.typedEarly.has(form)) save(form);
    form.addEventListener("input", (event) => {
      if (!event.isTrusted) return;
      clearTimeout(timer);
      timer = setTimeout(() => { timer = null; save(form); }, SAVE_MS);
    });
    form.addEventListener("change", (event) => { // a place that was pressed on the map is ticked by a script
      if (event.isTrusted || (event.target.name === "target" && !giving)) save(form);
    });
    form.addEventListener("loa:keep", () => { // a script changed what is worth keeping
      const known = read(keyOf(form), sessionStorage) ?? read(keyOf(form)), cards = JSON.stringify(cardsOf(form));
      if (cards === "{}" || JSON.stringify(known?.cards) !== cards || !known.title) save(form);
    });
    addEventListener("submit", (event) => { // after all that may hold it back: pressed twice, something still on its way
      if (event.target !== form || event.defaultPrevented) return;
      clearTimeout(timer);
      timer = null;
      const looks = event.submitter?.name === "look";
      save(form, looks ? "typed" : "sent");
      sessionStorage.setItem(looks ? LOOKED : SENT, keyOf(form));
    });
    addEventListener("pagehide", () => { if (timer !== null) save(form); });
  }
  // The answer to something else, as to a STOP, says nothing of what was sent before.
  addEventListener("submit", (event) => {
    if (!event.defaultPrevented && !forms.includes(event.target)) sessionStorage.removeItem(SENT);
  });
  addEventListener("pagehide", () => {
    if (written.size && !sessionStorage.getItem(LEAVES)) sessionStorage.setItem(OPEN, [...written].join("\n"));
  });
})();
