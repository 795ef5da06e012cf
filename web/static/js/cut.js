// Cut points on a waveform. The fields are what counts: they work without this, and what is dragged is written there.
(() => {
  const form = document.getElementById("cut");
  if (!form || !window.WaveSurfer) return;
  const list = document.getElementById("pieces"), template = document.getElementById("piece");
  const length = Number(form.dataset.lengthMs) / 1000, most = Number(form.dataset.most), shortest = 0.1;
  const audio = form.querySelector("audio"), at = document.getElementById("at"), wave = document.getElementById("wave");
  const tokens = getComputedStyle(document.documentElement), colour = (name) => tokens.getPropertyValue(name).trim();

  const point = (seconds) => {
    const hundredths = Math.round(seconds * 100);
    const text = String(Math.floor(hundredths / 100) % 60).padStart(2, "0");
    return `${Math.floor(hundredths / 6000)}:${text}.${String(hundredths % 100).padStart(2, "0")}`;
  };
  const moment = (text) => {
    const found = /^\s*(?:(\d+)\s*:\s*)?(\d+)(?:[.,](\d{1,3}))?\s*$/.exec(text);
    return found ? Number(found[1] ?? 0) * 60 + Number(found[2]) + Number(`0.${found[3] ?? 0}`) : NaN;
  };

  wave.hidden = false;
  const regions = WaveSurfer.Regions.create();
  const surfer = WaveSurfer.create({
    container: wave, height: 80, media: audio, duration: length, peaks: [JSON.parse(form.dataset.peaks)],
    waveColor: colour("--edge"), progressColor: colour("--accent"), cursorColor: colour("--ink"), cursorWidth: 2,
    dragToSeek: true, plugins: [regions],
  });

  const rows = () => [...list.children];
  const from = (row) => row.querySelector("input[name^=from]"), until = (row) => row.querySelector("input[name^=until]");
  const ends = (row) => [moment(from(row).value), moment(until(row).value)];
  const shown = new Map(); // row → its region

  function draw(row) {
    const [start, end] = ends(row), known = shown.get(row);
    if (!(start >= 0 && end > start && start < length)) {
      known?.remove();
      shown.delete(row);
    } else if (known) known.setOptions({ start, end: Math.min(end, length) });
    else {
      const made = regions.addRegion({
        start, end: Math.min(end, length), color: "rgba(10, 90, 115, 0.18)", minLength: shortest, drag: true, resize: true,
      });
      made.on("update-end", () => {
        from(row).value = point(made.start);
        until(row).value = point(made.end);
        tell();
        keep();
      });
      shown.set(row, made);
    }
    tell();
  }

  function tell() {
    rows().forEach((row, number) => {
      row.querySelector(".number").textContent = `${number + 1}`;
      for (const [input, name] of [[from(row), "from"], [until(row), "until"]]) {
        input.name = input.id = `${name}-${number}`;
        input.labels[0]?.setAttribute("for", input.id);
        input.previousElementSibling?.setAttribute("for", input.id);
      }
      row.querySelector("[data-act=drop]").hidden = rows().length < 2;
    });
    const kept = rows().map(ends).reduce((sum, [start, end]) => sum + (end > start ? end - start : 0), 0);
    const words = form.dataset.kept.replace("{kept}", point(kept)).replace("{whole}", point(length));
    const place = document.getElementById("kept");
    if (place.textContent !== words) place.textContent = words;
  }

  const keep = () => form.dispatchEvent(new Event("loa:keep")); // see draft.js

  function put(start, end, after) {
    const row = template.content.firstElementChild.cloneNode(true);
    from(row).value = point(start);
    until(row).value = point(end);
    row.querySelectorAll("button").forEach((each) => { each.hidden = false; });
    if (after) after.after(row);
    else list.append(row);
    draw(row);
    return row;
  }

  function drop(row) {
    shown.get(row)?.remove();
    shown.delete(row);
    const next = row.nextElementSibling ?? row.previousElementSibling;
    row.remove();
    tell();
    keep();
    from(next).focus();
    loa.say(form.dataset.dropped);
  }

  function split() {
    const now = audio.currentTime;
    const row = rows().find((each) => { const [start, end] = ends(each); return start + shortest < now && now < end - shortest; });
    if (!row || rows().length >= most) return;
    const [, end] = ends(row);
    until(row).value = point(now);
    draw(row);
    from(put(now, end, row)).focus();
    keep();
    loa.say(form.dataset.split);
  }

  let queue = []; // pieces that are still to be heard
  const all = form.querySelector("[data-act=all]");
  const show = () => {
    all.querySelector("[data-word]").textContent = audio.paused ? form.dataset.play : form.dataset.stop;
    at.textContent = point(audio.currentTime);
  };
  function hear(pieces) {
    queue = pieces.filter(([start, end]) => end > start);
    if (!queue.length) return;
    audio.currentTime = queue[0][0];
    audio.play().catch(() => { document.getElementById("cannot-play").hidden = false; });
  }
  function step() {
    show();
    if (!queue.length || audio.paused || audio.currentTime < queue[0][1]) return;
    queue.shift();
    if (queue.length) audio.currentTime = queue[0][0];
    else audio.pause();
  }
  for (const name of ["play", "pause", "seeked", "ended"]) audio.addEventListener(name, show);
  const look = () => { step(); requestAnimationFrame(look); };
  audio.addEventListener("play", () => requestAnimationFrame(look), { once: true });

  form.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-act]");
    const row = button?.closest("[data-piece]");
    if (button?.dataset.act === "hear") hear([ends(row)]);
    if (button?.dataset.act === "drop") drop(row);
    if (button?.dataset.act === "split") split();
    if (button?.dataset.act === "all") {
      if (audio.paused) hear(rows().map(ends));
      else audio.pause();
    }
  });
  form.addEventListener("change", (event) => {
    const row = event.target.closest("[data-piece]");
    if (!row) return;
    row.querySelectorAll("button").forEach((each) => { each.hidden = false; });
    draw(row);
  });

  for (const row of rows()) {
    if (!from(row).value && !until(row).value && rows().length > 1) row.remove();
    else row.querySelectorAll("button").forEach((each) => { each.hidden = false; });
  }
  document.getElementById("cut-acts").hidden = false;
  tell();
  surfer.once("ready", () => { // what is drawn before is lost
    rows().forEach(draw);
    form.dataset.ready = "yes";
  });
})();
