// Live pages: hears from the centre that something changed, asks htmx to fetch the fragments of this page anew, and
// says since when the link is lost. An event is a hint; a slow tick looks again even when none came.
(() => {
  const events = document.body.dataset.events;
  if (!events) return;
  const banner = document.getElementById("link-lost");
  const TICK_MS = 15000; // times in words ("12 minutes left") and silence of nodes change without an event
  const GATHER_MS = 400; // many nodes answer at once: one fetch for all of them
  const PATIENCE_MS = 3000; // a link that heals by itself within this is not worth a word
  let source = null, retryMs = 1000, gathering = null, lostSince = null, patience = null, leaving = false;

  const tell = () => document.body.dispatchEvent(new CustomEvent("loa:changed"));

  function changed() {
    gathering ??= setTimeout(() => { gathering = null; tell(); }, GATHER_MS);
  }

  function lost() {
    if (leaving || lostSince) return;
    lostSince = new Date();
    patience = setTimeout(() => {
      banner.querySelector("time").textContent = centreClock(lostSince);
      banner.hidden = false;
    }, PATIENCE_MS);
  }

  function healed() {
    clearTimeout(patience);
    lostSince = null;
    banner.hidden = true;
  }

  function listen() {
    source = new EventSource(events);
    source.onopen = () => { retryMs = 1000; healed(); changed(); };
    source.onerror = () => {
      lost();
      if (source.readyState !== EventSource.CLOSED) return; // the browser tries again by itself
      changed(); // refused, not broken: the fetch finds out whether the session has ended
      setTimeout(listen, retryMs * (0.5 + Math.random()));
      retryMs = Math.min(retryMs * 2, 30000);
    };
    for (const topic of ["area", "node", "recording", "bulletin", "programme", "approval", "broadcast", "play", "hold",
      "schedule", "emergency", "message", "enrolment", "alarm", "missed"]) {
      source.addEventListener(topic, changed);
    }
  }

  // The head shows the centre's clock, whatever this machine's clock says.
  const clock = document.getElementById("clock");
  const ahead = Number(clock.dataset.now) - performance.now();
  const zoneMs = Number(clock.dataset.zoneMinutes) * 60000;
  const centreClock = (at) => {
    const local = new Date(ahead + performance.now() - (Date.now() - at.getTime()) + zoneMs);
    return local.toISOString().slice(11, 16);
  };
  setInterval(() => {
    const now = centreClock(new Date());
    if (clock.textContent !== now) clock.textContent = now;
  }, 1000);

  document.body.addEventListener("htmx:error", (event) => {
    if (event.detail.ctx?.request?.method !== "POST") lost();
  });
  document.body.addEventListener("htmx:after:request", () => {
    if (source.readyState === EventSource.OPEN) healed();
  });
  addEventListener("pagehide", () => { leaving = true; source.close(); });
  addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
  setInterval(changed, TICK_MS);
  listen();
})();
