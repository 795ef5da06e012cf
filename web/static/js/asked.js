// What a page asks for by itself (a preview, words read aloud, a trial): shown while it works, asked for once at a time,
// and told beside what was pressed when nothing came of it. A look of a live part is none: live.js tells of its link.
(() => {
  const LONG_MS = 60000; // what a person pressed for and waits for: a machine's voice, a trial
  const { working, lost, broken, stale } = document.body.dataset;
  const at = new WeakMap(); // button at work → what stood in it
  const busy = new WeakMap(); // target → the request that works for it: it may have replaced another
  const isLook = (ctx) => ctx.sourceEvent?.type === "loa:look";
  const placeOf = (source) => (source.matches("details") ? source.lastElementChild : source.closest("p, li") ?? source);
  const on = (name, act) => document.addEventListener(name, (event) => {
    const { ctx } = event.detail;
    if (ctx?.sourceElement?.isConnected && !isLook(ctx)) act(ctx.sourceElement, ctx, event);
  });

  // Beside what was pressed at once. What looks by itself while a person types says once, without a jump, that it is old.
  function failed(source, words) {
    if (source.matches("button, summary, details, a")) loa.note(placeOf(source), words);
    else if (!loa.noted(placeOf(source))) loa.note(placeOf(source), stale, "status", false);
  }

  on("htmx:config:request", (source, ctx, event) => {
    const isKnown = source.matches("details") && (!source.open || source.dataset.had);
    if (isKnown || at.has(source)) event.preventDefault();
    if (source.matches("button")) ctx.request.timeout = LONG_MS;
  });

  on("htmx:before:request", (source, ctx) => {
    if (ctx.target) {
      busy.set(ctx.target, ctx);
      ctx.target.setAttribute("aria-busy", "true");
    }
    if (!source.matches("button")) return;
    loa.unnote(placeOf(source));
    at.set(source, [...source.childNodes]);
    source.textContent = source.dataset.pending || working;
    source.setAttribute("aria-disabled", "true");
  });

  on("htmx:finally:request", (source, ctx) => {
    if (ctx.target && busy.get(ctx.target) === ctx) ctx.target.removeAttribute("aria-busy");
    if (!at.has(source)) return;
    source.replaceChildren(...at.get(source));
    source.removeAttribute("aria-disabled");
    at.delete(source);
  });

  on("htmx:after:swap", (source, ctx) => {
    if (ctx.response.status >= 400) return; // told, and nothing was put in
    if (source.matches("details")) source.dataset.had = "yes";
    loa.unnote(placeOf(source));
    if (source.matches("button")) ctx.target.scrollIntoView({ block: "nearest" }); // it may stand above what was pressed
  });

  // The centre's own words stand in its answer (_problem.html); of one that has none only that it failed is known.
  on("htmx:response:error", (source, ctx) => {
    if (ctx.response.headers.has("HX-Redirect")) return; // signs in first
    const said = new DOMParser().parseFromString(ctx.text, "text/html").querySelector("[data-said]");
    failed(source, said?.textContent || broken);
  });

  on("htmx:error", (source, ctx) => {
    if (!ctx.response) failed(source, lost);
  });
})();
