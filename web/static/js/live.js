// Live pages: hears from the centre that something changed and tells each part of the page that wants to know
// (data-live, see _parts.html); says since when the link is lost. An event is a hint; a slow tick looks again without one.
// One stream for all tabs of a browser: it allows six connections, and a tab more would keep a STOP waiting.
(() => {
  const { events, person } = document.body.dataset;
  if (!events) return;
  const TOPICS = ["area", "node", "recording", "bulletin", "programme", "approval", "broadcast", "play", "hold", "schedule",
    "emergency", "message", "enrolment", "alarm", "fault", "rollout", "person", "audit", "missed"];
  const GATHER_MS = 400; // many nodes answer at once: one look for all of them
  const PACE_MS = 2000; // a part that changes all the time is looked at no more often
  const PATIENCE_MS = 3000; // a link that heals by itself within this is not worth a word
  const banner = document.getElementById("link-lost");
  const channel = window.BroadcastChannel ? new BroadcastChannel(`loa:${person}`) : null;
  const looked = new WeakMap();
  let leads = false, open = false, lostSince = null, patience = null, leaving = false, gathering = null;
  let waiting = [], all = false;

  // What a part wants to hear of: its topics; with a key only of that row or node, but of a topic with * whatever its row.
  const wants = (part, said) => {
    const topics = (part.dataset.live ?? "").split(" ").filter(Boolean), key = part.dataset.key;
    if (!topics.length || topics.includes(`${said.topic}*`)) return true;
    return topics.includes(said.topic) && (!key || key === said.key || key === said.node_id);
  };

  function look(part) {
    looked.set(part, performance.now());
    part.dispatchEvent(new CustomEvent("loa:look"));
  }

  function gather(ms = GATHER_MS) {
    gathering ??= setTimeout(deliver, ms);
  }

  function deliver() {
    gathering = null;
    if (document.hidden) return; // on return all is told at once
    const now = performance.now(), soon = [];
    for (const part of document.querySelectorAll("[data-live]")) {
      if (!all && !waiting.some((said) => wants(part, said))) continue;
      const left = Number(part.dataset.pace ?? PACE_MS) - (now - (looked.get(part) ?? -Infinity));
      if (left > 0) soon.push([part, left]); else look(part);
    }
    waiting = [];
    all = false;
    for (const [part, left] of soon) later(part, left);
  }

  const late = new WeakMap(); // one look to come is enough, whatever happens until then
  function later(part, ms) {
    if (late.has(part)) return;
    late.set(part, setTimeout(() => {
      late.delete(part);
      if (part.isConnected) look(part);
    }, ms));
  }

  function everything() {
    all = true;
    gather();
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

  // What the stream said, here or in the tab that holds it.
  function hear(said) {
    if (said.link === "who") { if (leads) channel.postMessage({ link: open ? "open" : "lost" }); return; }
    if (said.link === "lost") { open = false; lost(); return; }
    if (said.link) { // open, or refused: the look finds out whether the session has ended
      open = said.link === "open";
      if (open) healed();
      everything();
      return;
    }
    if (said.topic === "missed") return everything();
    waiting.push(said);
    gather();
  }

  function tell(said) {
    hear(said);
    if (leads) channel?.postMessage(said);
  }

  // Listens until told to stop; the browser mends a broken stream by itself, a refused one is asked for again.
  function listen(ended) {
    let source = null, retryMs = 1000, again = null;
    const begin = () => {
      source = new EventSource(events);
      source.onopen = () => { retryMs = 1000; tell({ link: "open" }); };
      source.onerror = () => {
        tell({ link: "lost" });
        if (source.readyState !== EventSource.CLOSED) return;
        tell({ link: "refused" });
        again = setTimeout(begin, retryMs * (0.5 + Math.random()));
        retryMs = Math.min(retryMs * 2, 30000);
      };
      for (const topic of TOPICS) {
        source.addEventListener(topic, (event) => tell({ ...JSON.parse(event.data), topic }));
      }
    };
    ended.addEventListener("abort", () => { clearTimeout(again); source.close(); });
    begin();
  }

  // Whoever holds the lock listens for all tabs of this person; when it goes, the next one does.
  function shareOne(ended) {
    channel.onmessage = (event) => hear(event.data);
    channel.postMessage({ link: "who" });
    const lead = () => new Promise((done) => {
      leads = true;
      ended.addEventListener("abort", done);
      listen(ended);
    });
    navigator.locks.request(`loa:${person}`, { signal: ended }, lead).catch((error) => {
      if (error.name !== "AbortError") listen(ended); // a browser that locks nothing
    });
  }

  // Without locks (plain http on another machine): a stream of its own, for as long as it is looked at.
  function listenWhileSeen(ended) {
    let seen = null;
    const turn = () => {
      if (document.hidden) { seen?.abort(); seen = null; } else if (!seen && !ended.aborted) { seen = new AbortController(); listen(seen.signal); }
    };
    document.addEventListener("visibilitychange", turn);
    ended.addEventListener("abort", () => seen?.abort());
    turn();
  }

  // The head shows the centre's clock, whatever this machine's clock says.
  const clock = document.getElementById("clock");
  const ahead = Number(clock.dataset.now) - performance.now();
  const zoneMs = Number(clock.dataset.zoneMinutes) * 60000;
  const centreClock = (at) => {
    const local = new Date(ahead + performance.now() - (Date.now() - at.getTime()) + zoneMs);
    return local.toISOString().slice(11, 16);
  };

  // Times in words ("12 minutes left") and the silence of nodes change without an event.
  setInterval(() => {
    const hour = centreClock(new Date()), now = performance.now();
    if (clock.textContent !== hour) clock.textContent = hour;
    if (document.hidden) return;
    for (const part of document.querySelectorAll("[data-tick]")) {
      if (!looked.has(part)) looked.set(part, now);
      const every = Number(part.dataset.tick) * 1000;
      if (every && now - looked.get(part) >= every) look(part);
    }
  }, 1000);

  document.addEventListener("visibilitychange", () => { if (!document.hidden) everything(); });
  document.body.addEventListener("htmx:error", (event) => {
    if (event.detail.ctx?.request?.method !== "POST") lost();
  });
  document.body.addEventListener("htmx:after:request", () => { if (open) healed(); });
  addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
  const ends = new AbortController();
  addEventListener("pagehide", () => { leaving = true; ends.abort(); });
  if (navigator.locks && channel) shareOne(ends.signal); else listenWhileSeen(ends.signal);
})();
