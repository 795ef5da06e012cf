// Tells the centre which parts of a recording were played to whoever is to approve it: spans of the file, in ms. What
// is skipped is not in them. The centre merges them, and takes no more than there was time for since it was told before:
// so it is told of the beginning too. The page then shows what is left.
(() => {
  const SEND_MS = 5000;
  const JUMP_S = 1.5; // further than the player moves between two of its own ticks: somebody jumped
  const open = new Map(); // audio → [from, until] of what is being played, in seconds

  function tell(path, spans, last = false) {
    return fetch(path, {
      method: "POST", keepalive: last, headers: { "Content-Type": "application/json" }, body: JSON.stringify({ spans }),
    });
  }

  function send(audio, { last = false } = {}) {
    const span = open.get(audio);
    const path = audio.closest(".player")?.dataset.listening;
    if (!span || !path || span[1] - span[0] < 0.2) return;
    open.set(audio, [span[1], span[1]]);
    tell(path, [[Math.floor(span[0] * 1000), Math.ceil(span[1] * 1000)]], last).then((answer) => {
      if (answer.ok) document.querySelectorAll("main [data-live]").forEach((each) => each.dispatchEvent(new CustomEvent("loa:look")));
      else open.set(audio, [span[0], (open.get(audio) ?? span)[1]]); // told again with the next one
    }, () => open.set(audio, [span[0], (open.get(audio) ?? span)[1]]));
  }

  document.addEventListener("timeupdate", (event) => {
    const audio = event.target, now = audio.currentTime, span = open.get(audio);
    if (!span) { open.set(audio, [now, now]); return; }
    if (now < span[1] || now - span[1] > JUMP_S) { send(audio); open.set(audio, [now, now]); }
    else span[1] = now;
  }, true);
  // The player's first tick comes late: what was heard begins where it was started, or where somebody jumped to.
  for (const name of ["play", "seeked"]) {
    document.addEventListener(name, (event) => {
      send(event.target);
      const path = event.target.closest(".player")?.dataset.listening;
      if (name === "play" && path) tell(path, []).catch(() => {}); // what is played is told later, in any case
      open.set(event.target, [event.target.currentTime, event.target.currentTime]);
    }, true);
  }
  for (const name of ["pause", "ended"]) {
    document.addEventListener(name, (event) => {
      const audio = event.target, span = open.get(audio);
      if (span && name === "ended" && Number.isFinite(audio.duration)) span[1] = Math.max(span[1], audio.duration);
      send(audio);
      if (name === "ended") goOn(audio);
    }, true);
  }

  // One press hears all that is left: what follows begins by itself, where the browser lets it.
  function goOn(audio) {
    const files = [...(audio.closest("[data-in-turn]")?.querySelectorAll(".piece") ?? [])], file = audio.closest(".piece");
    if (!file) return;
    file.dataset.whole = "yes"; // heard once more, it leads on to nothing that was heard, too
    const next = files.slice(files.indexOf(file) + 1).find((each) => each.dataset.whole === "no");
    next?.querySelector("audio").play().catch(() => next.querySelector(".player button").focus());
  }
  setInterval(() => open.forEach((_, audio) => { if (!audio.paused) send(audio); }), SEND_MS);
  addEventListener("pagehide", () => open.forEach((_, audio) => send(audio, { last: true })));
})();
