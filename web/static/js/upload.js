// Sends a recording in pieces (tus 1.0): it goes on where a bad link broke off, after a reload too where the page has
// keep.js. Then shows its card. record.js hands over what is being recorded through `loa.upload`.
(() => {
  const box = document.getElementById("upload");
  if (!box) return;
  const LEAST = 64 * 1024, MOST = 1024 * 1024; // bytes of a piece: the centre takes no more at once
  const PIECE_MS = 8000; // a piece takes about so long on this link
  const LONGEST_WAIT_MS = 15000;
  const KEPT_MS = 2 * 24 * 3600 * 1000; // as long as the centre keeps what broke off
  const SHARED_MS = 10 * 60 * 1000; // what was shared longer ago is not what somebody waits for now
  const MOST_SHOWN = 300;
  const LATER = new Set([408, 423, 429, 500, 502, 503, 504]);
  const file = document.getElementById("file");
  const doing = box.querySelector(".doing"), bar = box.querySelector("progress"), said = box.querySelector(".said");
  const wrong = document.getElementById("upload-wrong");
  const title = document.getElementById("title"), place = document.getElementById("recording");
  const person = document.body.dataset.person, form = box.closest("form");
  let current = null;
  let awaited = null; // the place in which somebody waits to see what becomes of a file, or of words
  let offered = ""; // the title as we filled it in; what a person typed stays

  class Refused extends Error {
    constructor(code, fields = {}) { super(code); Object.assign(this, { code, fields }); }
  }

  // The most exact words there are: for this fault of this field, else for the error, else for any.
  function fail(code, { field, problem } = {}) {
    const texts = box.querySelector("template").content;
    const words = (each) => texts.querySelector(`[data-code="${CSS.escape(each)}"]`);
    wrong.textContent = (words(`${code}_${field}_${problem}`) ?? words(code) ?? words("other")).textContent;
    wrong.hidden = false;
    file.setAttribute("aria-invalid", "true");
    doing.hidden = true;
    file.value = "";
    takeBack();
    wrong.scrollIntoView({ block: "nearest" });
  }

  function offer(name) {
    if (title.value.trim() && title.value !== offered) return;
    title.value = offered = name;
  }

  // What we named goes, and its name with it; the card that stands has its own.
  function takeBack() {
    if (!offered || title.value !== offered) return;
    title.value = offered = place.querySelector("[data-title]")?.dataset.title ?? "";
    title.dispatchEvent(new Event("change", { bubbles: true }));
  }

  function show(sending, words) {
    const size = sending.source.size(), share = size ? Math.round((sending.at / size) * 100) : 0;
    if (sending.source.whole()) bar.value = share; else bar.removeAttribute("value");
    said.textContent = words.replace("{percent}", share);
    doing.hidden = sending.quiet && !sending.waits;
  }

  const cardPlace = (into) => document.getElementById(`recording-${into}`) ?? place;
  // Why the one before was not taken says nothing of the next.
  const forgetVerdict = () => cardPlace(box.dataset.into ?? "").querySelector(":scope > .notice")?.remove();

  const encoded = (text) => btoa(String.fromCharCode(...new TextEncoder().encode(text)));

  class Sending {
    constructor(take, source, { quiet = false } = {}) {
      Object.assign(this, { take, source, quiet, at: 0, known: false, waits: false, piece: 2 * LEAST });
      this.ended = new AbortController();
    }

    // There is more to send, or the last of it.
    grew() { this.woken?.(); }

    async run() {
      for (let tries = 0; !this.ended.signal.aborted;) {
        try {
          const recording = this.take.url ? await (this.known ? this.next() : this.where()) : await this.begin();
          tries = 0;
          this.waits = false;
          if (recording) return recording;
        } catch (error) {
          if (error instanceof Refused || this.ended.signal.aborted) throw error;
          this.known = false;
          this.waits = tries > 0;
          if (this.waits) show(this, box.dataset.waiting);
          await this.pause(Math.min(LONGEST_WAIT_MS, 500 * 2 ** tries) * (0.5 + Math.random() / 2));
          tries += 1;
        }
      }
      return null;
    }

    pause(ms) {
      return new Promise((done) => {
        setTimeout(done, ms);
        addEventListener("online", done, { once: true });
        this.ended.signal.addEventListener("abort", done, { once: true });
      });
    }

    async ask(method, url, headers, body) {
      const answer = await fetch(url, {
        method, body, headers: { "Tus-Resumable": "1.0.0", ...headers }, signal: this.ended.signal, redirect: "error",
      });
      if (answer.ok) return answer;
      let error = {};
      try { error = (await answer.json()).error ?? {}; } catch { /* a proxy's page, not the centre's answer */ }
      if (answer.status === 409 || (LATER.has(answer.status) && error.code !== "upload_quota")) throw new Error("later");
      if (answer.status === 404 && this.take.url) { // given up there: begin anew
        this.take.url = "";
        throw new Error("anew");
      }
      throw new Refused(error.code ?? "other", error.fields);
    }

    async begin() {
      const { take, source } = this;
      const names = { title: take.title, file_name: take.name, language: take.into || box.dataset.language, origin: take.origin };
      const metadata = Object.entries(names).map(([name, value]) => `${name} ${encoded(value)}`).join(",");
      const length = source.whole() ? { "Upload-Length": String(source.size()) } : { "Upload-Defer-Length": "1" };
      const answer = await this.ask("POST", box.dataset.to, { "Upload-Metadata": metadata, ...length });
      take.url = answer.headers.get("Location");
      Object.assign(this, { at: 0, known: true });
      await loa.store?.put("takes", take);
    }

    async where() {
      const answer = await this.ask("HEAD", this.take.url);
      this.at = Number(answer.headers.get("Upload-Offset"));
      this.known = true;
      return answer.headers.get("Loa-Recording");
    }

    async next() {
      const { source } = this, until = Math.min(source.size(), this.at + this.piece);
      const last = source.whole() && until === source.size();
      if (until === this.at && !last) { // nothing new was said yet
        await new Promise((done) => { this.woken = done; this.ended.signal.addEventListener("abort", done, { once: true }); });
        return null;
      }
      const headers = { "Upload-Offset": String(this.at), "Content-Type": "application/offset+octet-stream" };
      if (last) headers["Upload-Length"] = String(until);
      const began = performance.now(), size = until - this.at;
      const answer = await this.ask("PATCH", this.take.url, headers, source.slice(this.at, until));
      const took = performance.now() - began;
      if (size === this.piece) this.piece = Math.max(LEAST, Math.min(MOST, 2 * size, (size * PIECE_MS) / took));
      this.at = Number(answer.headers.get("Upload-Offset"));
      show(this, last ? box.dataset.checking : box.dataset.sending);
      return answer.headers.get("Loa-Recording");
    }
  }

  async function send(take, source, options) {
    current?.ended.abort();
    wrong.hidden = true;
    file.removeAttribute("aria-invalid");
    const sending = new Sending(take, source, options);
    current = sending;
    show(sending, box.dataset.sending);
    try {
      const recording = await sending.run();
      if (current !== sending || !recording) return;
      doing.hidden = true;
      await loa.store?.forget(take.id);
      const card = `/say/recordings/${encodeURIComponent(recording)}`, at = `#${cardPlace(take.into).id}`;
      const into = at === "#recording" ? "" : take.into;
      htmx.ajax("GET", into ? `${card}?into=${into}` : card, { target: at, source: at, swap: "innerHTML" });
    } catch (error) {
      if (current === sending && !sending.ended.signal.aborted) fail(error.code ?? "other", error.fields);
    } finally {
      if (current === sending) current = null;
    }
  }

  function giveUp(take = current?.take) {
    current?.ended.abort();
    current = null;
    doing.hidden = true;
    file.value = "";
    takeBack();
    if (!take) return;
    loa.store?.forget(take.id);
    if (take.url) fetch(take.url, { method: "DELETE" }).catch(() => {}); // it ends there by itself in two days
  }

  // Until this page goes, other tabs leave alone what is being made or sent here. Without locks (plain http on another
  // machine) nobody can tell.
  const lockOf = (take) => `loa:take:${take.id}`;
  const claim = (take) => new Promise((claimed) => {
    if (!navigator.locks) return claimed(true);
    navigator.locks.request(lockOf(take), { ifAvailable: true }, (lock) => {
      claimed(Boolean(lock));
      return lock && new Promise(() => {});
    }).catch(() => claimed(true));
  });

  function newTake(given) {
    const into = box.dataset.into ?? ""; // the language that it is for; empty: the first of the form (move.js)
    const take = { id: `${Date.now()}-${Math.random()}`, person, at: Date.now(), url: "", name: "", into, ...given };
    claim(take);
    return take;
  }
  const whole = (blob) => ({ size: () => blob.size, whole: () => true, slice: (from, until) => blob.slice(from, until) });

  function takeFile(chosen) {
    wrong.hidden = true;
    forgetVerdict();
    if (chosen.size > Number(box.dataset.most)) return fail("too_large");
    const name = chosen.name.replace(/\.[^.]*$/, "");
    offer(name);
    awaited = cardPlace(box.dataset.into ?? "");
    const take = newTake({ title: title.value.trim() || name, name: chosen.name, origin: "uploaded" });
    loa.store?.put("takes", { ...take, file: chosen }).then(() => { take.file = chosen; });
    send(take, whole(chosen));
  }

  file.addEventListener("change", () => { if (file.files[0]) takeFile(file.files[0]); });
  // Chosen while this script was still on its way; what the browser put back into the form is not meant.
  if (file.files[0] && performance.getEntriesByType("navigation")[0]?.type === "navigate") takeFile(file.files[0]);
  box.querySelector(".give-up").addEventListener("click", () => { giveUp(); file.focus(); });

  // Something is on its way; says so.
  function isBusy() {
    if (!current && !box.dataset.recording) return false;
    said.textContent = box.dataset.wait;
    doing.hidden = false;
    loa.say(box.dataset.wait);
    return true;
  }

  // Sending now would send without it.
  form?.addEventListener("submit", (event) => {
    if (!isBusy()) return;
    event.preventDefault();
    event.stopPropagation();
  });

  // What a former visit could not send is offered, not sent behind somebody's back.
  async function offerKept() {
    const kept = document.getElementById("kept");
    if (!kept || !loa.store) return;
    const elsewhere = new Set((await navigator.locks?.query())?.held.map((each) => each.name));
    const takes = (await loa.store.all("takes")).filter((each) => each.person === person && !elsewhere.has(lockOf(each)));
    for (const take of takes.filter((each) => Date.now() - each.at > KEPT_MS)) loa.store.forget(take.id);
    const take = takes.filter((each) => Date.now() - each.at <= KEPT_MS).sort((one, other) => other.at - one.at)[0];
    if (!take || current) return;
    const blob = take.file ?? new Blob(await loa.store.slices(take.id), { type: take.type });
    if (!blob.size) return loa.store.forget(take.id);
    kept.querySelector(".what").textContent = take.title;
    kept.hidden = false;
    const use = (button, act) => {
      kept.querySelector(button).onclick = async () => {
        kept.hidden = true;
        if (await claim(take)) act(); // else another tab was first
      };
    };
    use(".go-on", () => { offer(take.title); send(take, whole(blob)); });
    use(".drop", () => giveUp(take));
  }

  // Handed over by another application, or by any page of the web: a browser does not tell which. So it is shown by name,
  // and nothing of it is filled in or sent until this person says so. Whoever sees it first is the one whom it is for.
  async function offerShared() {
    const place = document.getElementById("shared");
    if (!place || !new URLSearchParams(location.search).has("shared")) return;
    const shared = await loa.store?.get("shared", "shared");
    if (!shared) return;
    const drop = () => { place.hidden = true; return loa.store.drop("shared", "shared"); };
    const what = shared.file?.name ?? shared.text, age = Date.now() - shared.at;
    if (!what || !(age <= SHARED_MS) || (shared.person ?? person) !== person) return drop();
    await loa.store.put("shared", { ...shared, person }, "shared");
    place.querySelector(".what").textContent = what.slice(0, MOST_SHOWN);
    place.querySelector(".use").onclick = async () => { await drop(); useShared(shared); };
    place.querySelector(".drop").onclick = async () => { await drop(); file.focus(); };
    place.hidden = false;
  }

  function useShared(shared) {
    if (shared.file) return takeFile(shared.file);
    const text = document.getElementById("text");
    text.closest("details").open = true;
    text.value = shared.text;
    text.focus();
    text.dispatchEvent(new Event("input", { bubbles: true }));
  }

  const typed = () => (title.value.trim() === offered ? "" : title.value.trim());

  loa.upload = { newTake, send, giveUp, offer, isBusy, typed, sending: () => current };
  offerKept().then(offerShared);

  // Whatever card appears, its name is offered as the title, and the sentence of what will happen is made anew. The card
  // replaces itself, so what htmx tells of it reaches nobody: the place is watched.
  const places = [...document.querySelectorAll("[data-card]")];
  // What was chosen by mistake goes again; the recording itself stays in its list.
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-take-out]"), out = button?.closest("[data-card]");
    if (!out) return;
    out.replaceChildren();
    if (out === place) takeBack();
    (document.getElementById(out.id.replace("recording", "recent"))?.querySelector("summary") ?? file).focus();
  });

  // What was said stays: words typed to be read instead would be read on sending.
  document.addEventListener("click", (event) => {
    const words = event.target.closest("[data-keeps]") && document.getElementById("text");
    if (!words?.value) return;
    words.value = "";
    words.dispatchEvent(new Event("input", { bubbles: true }));
  });

  const isOver = (each) => Boolean(each.querySelector("[data-title], :scope > .notice"));
  const stateOf = (each) => `${each.querySelector("[data-again]")?.value ?? ""} ${isOver(each)}`;
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[hx-post='/say/speech']");
    if (button) awaited = document.querySelector(button.getAttribute("hx-target"));
  });

  // Nobody waits any more who types elsewhere, or scrolls on: nothing may move below that hand.
  document.addEventListener("focusin", (event) => { if (event.target.matches("input:not([type=file]), select, textarea")) awaited = null; });
  for (const hand of ["wheel", "touchmove"]) document.addEventListener(hand, () => { awaited = null; }, { passive: true });

  let shown = null;
  const watching = new MutationObserver(() => {
    const card = place.querySelector("[data-title]"), state = places.map(stateOf).join();
    if (state === shown) return;
    shown = state;
    if (awaited?.childElementCount) awaited.scrollIntoView({ block: "nearest" }); // on a phone it stands above what was pressed, or behind the bar of STOP
    if (awaited && isOver(awaited)) awaited = null;
    if (card) offer(card.dataset.title);
    title.dispatchEvent(new Event("change", { bubbles: true }));
    form?.dispatchEvent(new Event("loa:keep"));
  });
  for (const each of places) watching.observe(each, { childList: true, subtree: true, characterData: true, attributes: true, attributeFilter: ["value", "data-title"] });
})();
