// A form with data-once is sent once, however often it is pressed. The key that goes with it makes twice be once at the
// centre too: it is the same for each attempt at one act until its answer was seen, on this page or after the one that
// stands in for a lost link. A page that the browser gives back whole, with the keys that it had, is loaded anew (live.js).
// While a form is in the air it stands as it is: a look of a live part would put the button
// back as if nothing had been pressed. For the first moments all that is around it does too, so that nothing slides under
// the thumb; what others do and what is on air is shown after that. Without an answer it may be sent again, and that is said.
// A form with data-again is sent with every press: silence ordered twice is silence, and a request that hangs on a bad
// link must not keep the next press from going out. Without an answer to the last press nobody is left to believe that it
// is silent.
(() => {
  const PATIENCE_MS = 20000; // longer than the centre lets anything wait; data-patience (s): where a machine reads first
  const STILL_MS = 3000; // a second tap is over by then
  const MINUTES_MS = 10 * 60 * 1000; // on another page than it was sent from, the same act is a new one after that; see draft.js
  // Of this tab. UNANSWERED: act → its key and when it was sent; LAST: the act that was sent last, for the next page.
  const UNANSWERED = "loa:unanswered", LAST = "loa:sent-last";
  const { pending, unanswered, unstopped } = document.body.dataset;
  const inAir = new Map(); // form → what was pressed, when, with which key, its word before, and until when an answer is awaited
  const orders = new Map(); // form with data-again → its last press
  let leaving = null; // what was submitted last: the next navigation with a form's data is its own
  const still = loa.still((part) => [...inAir.values()].some(({ form, button, at }) => performance.now() - at < STILL_MS
    && (part.contains(form) || (button && part.contains(button)))));
  const wordOf = (button) => button.querySelector("[data-word]") ?? button;
  const placeOf = (form) => form.closest("[data-live]") ?? form; // below a live part: inside, its next look would take the words away

  // What a form asks for, whatever is typed into it. Its own `key` is another one on each page.
  const actOf = (form) => [form.getAttribute("action"), ...[...form.querySelectorAll("input[type=hidden]")]
    .filter((each) => each.name !== "key").map((each) => each.value)].join("\n");

  // This page is the answer to what was sent last if the centre gave it for that, or led to it; whoever types the bare
  // address is led to Hôm nay. Any other page says nothing of what was sent: the same act keeps its key.
  function isAnswer() {
    const { redirectCount } = performance.getEntriesByType("navigation")[0] ?? {};
    const led = redirectCount > 0 && (location.pathname !== "/today" || new URLSearchParams(location.search).has("done"));
    return "answer" in document.body.dataset || led;
  }

  function unansweredActs() {
    const last = sessionStorage.getItem(LAST);
    let kept = [];
    try {
      kept = Object.entries(JSON.parse(sessionStorage.getItem(UNANSWERED)) ?? {});
    } catch { /* not ours: it goes */ }
    return Object.fromEntries(kept.filter(([act, { at }]) => Date.now() - at < MINUTES_MS && !(act === last && isAnswer())));
  }

  function keep(last) {
    try {
      sessionStorage.setItem(UNANSWERED, JSON.stringify(keys));
      if (last === undefined) sessionStorage.removeItem(LAST); else sessionStorage.setItem(LAST, last);
    } catch { /* a browser that keeps nothing still sends */ }
  }
  const keys = unansweredActs();
  keep();

  function keyOf(form, button) {
    const act = [actOf(form), button?.name, button?.value].join("\n");
    const key = keys[act]?.key ?? [...crypto.getRandomValues(new Uint8Array(16))].map((each) => each.toString(16).padStart(2, "0")).join("");
    keys[act] = { key, at: Date.now() };
    keep(act);
    return key;
  }

  document.addEventListener("submit", (event) => {
    const form = event.target, button = event.submitter;
    const once = form.hasAttribute("data-once");
    if (once && form.dataset.sent) {
      event.preventDefault();
      return;
    }
    leaving = null;
    keep();
    if (!once && !form.hasAttribute("data-again")) return;
    if (!once) return order(form, button);
    form.dataset.sent = "yes";
    const before = button && wordOf(button).textContent;
    if (button) wordOf(button).textContent = button.dataset.pending || pending;
    button?.setAttribute("aria-disabled", "true");
    loa.unnote(placeOf(form));
    const patience = setTimeout(() => giveUp(form), Number(form.dataset.patience) * 1000 || PATIENCE_MS);
    const own = { form, button, before, patience, key: keyOf(form, button), at: performance.now() };
    own.abort = () => { if (inAir.get(form) === own) giveUp(form); };
    inAir.set(form, own);
    leaving = own;
    setTimeout(still.again, STILL_MS + 50);
  });

  document.addEventListener("formdata", (event) => {
    const own = inAir.get(event.target);
    if (own) event.formData.set("once", own.key);
  });

  function giveUp(form) {
    const { button, before, patience } = inAir.get(form);
    clearTimeout(patience);
    inAir.delete(form);
    delete form.dataset.sent;
    if (button) {
      button.removeAttribute("aria-disabled");
      wordOf(button).textContent = before;
    }
    // Beside what was pressed after it nothing is said: it would be read as that one's, whose answer shows both.
    const place = placeOf(form);
    if (![...inAir.keys()].some((each) => placeOf(each) === place)) loa.note(place, unanswered, "status");
    still.again();
  }

  function order(form, button) {
    const last = orders.get(form), word = button && wordOf(button), place = form.closest(".stopbar") ? document.getElementById("main") : form;
    clearTimeout(last?.patience);
    loa.unnote(place);
    const own = { before: last?.before ?? word?.textContent };
    own.abort = () => {
      if (orders.get(form) !== own) return; // it was pressed again: the answer to that is awaited
      clearTimeout(own.patience);
      orders.delete(form);
      if (word) word.textContent = own.before;
      loa.note(place, unstopped, "alert", place === form);
    };
    own.patience = setTimeout(own.abort, PATIENCE_MS);
    orders.set(form, own);
    if (word) word.textContent = button.dataset.pending || pending;
    leaving = own;
  }

  // A part that is looked at keeps the form as it is, unless that has become the form of something else.
  window.htmx?.registerExtension("loa-once", {
    htmx_before_morph_node(oldNode, { newNode }) {
      const own = inAir.get(oldNode);
      if (!own) return true;
      if (actOf(oldNode) === actOf(newNode)) return false;
      clearTimeout(own.patience);
      inAir.delete(oldNode);
      return true;
    },
  });

  // The browser's ✕, or another way taken: nothing will come of it any more. Of that one alone: what was pressed since,
  // in another form or in this one again, goes its own way.
  window.navigation?.addEventListener("navigate", (event) => {
    const own = event.formData && leaving;
    if (!own) return;
    leaving = null;
    event.signal.addEventListener("abort", own.abort);
  });
})();
