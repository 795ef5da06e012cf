// A form with data-once is sent once, however often it is pressed. The key inside makes twice be once at the centre too.
// While it is in the air it stands as it is: a look of a live part would put the button back as if nothing had been
// pressed. For the first moments all that is around it does too, so that nothing slides under the thumb; what others do
// and what is on air is shown after that. Without an answer it may be sent again, and that is said.
// A form with data-again is sent with every press: silence ordered twice is silence, and a request that hangs on a bad
// link must not keep the next press from going out.
(() => {
  const PATIENCE_MS = 20000; // longer than the centre lets anything wait; data-patience (s): where a machine reads first
  const STILL_MS = 3000; // a second tap is over by then
  const { pending, unanswered, unsure } = document.body.dataset;
  const inAir = new Map(); // form → what was pressed, when, its word before, and until when an answer is awaited
  let leaving = null; // what was submitted last: the next navigation with a form's data is its own
  const still = loa.still((part) => [...inAir.values()].some(({ form, button, at }) => performance.now() - at < STILL_MS
    && (part.contains(form) || (button && part.contains(button)))));
  const wordOf = (button) => button.querySelector("[data-word]") ?? button;

  document.addEventListener("submit", (event) => {
    const form = event.target, button = event.submitter;
    const once = form.hasAttribute("data-once");
    if (once && form.dataset.sent) {
      event.preventDefault();
      return;
    }
    leaving = null;
    if (!once && !form.hasAttribute("data-again")) return;
    form.dataset.sent = "yes";
    const before = button && wordOf(button).textContent;
    if (button && (once || button.dataset.pending)) wordOf(button).textContent = button.dataset.pending || pending;
    if (!once) return;
    button?.setAttribute("aria-disabled", "true");
    loa.unnote(placeOf(form));
    const patience = setTimeout(() => giveUp(form), Number(form.dataset.patience) * 1000 || PATIENCE_MS);
    leaving = { form, button, before, patience, at: performance.now() };
    inAir.set(form, leaving);
    setTimeout(still.again, STILL_MS + 50);
  });

  const placeOf = (form) => form.closest("[data-live]") ?? form; // below a live part: inside, its next look would take the words away

  function giveUp(form) {
    const { button, before, patience } = inAir.get(form);
    clearTimeout(patience);
    inAir.delete(form);
    delete form.dataset.sent;
    if (button) {
      button.removeAttribute("aria-disabled");
      wordOf(button).textContent = before;
    }
    // With a key, or as a step of what stands in a live part (a yes, a release), twice is once; a new thing would be two.
    // Beside what was pressed after it nothing is said: it would be read as that one's, whose answer shows both.
    const countsOnce = form.elements.key || form.closest("[data-live]"), place = placeOf(form);
    if (![...inAir.keys()].some((each) => placeOf(each) === place)) loa.note(place, countsOnce ? unanswered : unsure, "status");
    still.again();
  }

  // A part that is looked at keeps the form as it is, unless that has become the form of something else.
  const actOf = (form) => [form.getAttribute("action"), ...[...form.querySelectorAll("input[type=hidden]")].map((each) => each.value)].join("\n");
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
    event.signal.addEventListener("abort", () => { if (inAir.get(own.form) === own) giveUp(own.form); });
  });
})();
