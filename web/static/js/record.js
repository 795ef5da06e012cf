// Records in the browser. Each second is kept here and sent while one goes on speaking, so that neither a screen lock
// nor a bad link loses what was said; where the recording stopped is told to the second. What sends it (upload.js) may still
// be on its way when the button is there: it is awaited before the first word.
(() => {
  const box = document.getElementById("record");
  const upload = document.getElementById("upload");
  if (!box || !upload) return;
  const KINDS = ["audio/webm;codecs=opus", "audio/mp4", "audio/ogg;codecs=opus", "audio/webm"];
  const SLICE_MS = 1000;
  const SILENT_MS = 3000; // nothing new for so long after the screen came back: it had stopped
  const part = (name) => box.querySelector(`.${name}`);
  const words = (code) => box.querySelector("template").content.querySelector(`[data-code="${code}"]`).textContent;
  const wrong = part("wrong"), level = part("level"), length = part("length"), note = part("note");
  let now = null; // the recording that goes on
  let starting = false; // the microphone is asked for: pressed again meanwhile, it is one recording all the same

  const mark = (ms) => `${Math.floor(ms / 60000)}:${String(Math.floor(ms / 1000) % 60).padStart(2, "0")}`;

  function complain(code) {
    wrong.textContent = code === "lost" ? document.body.dataset.lost : words(code);
    wrong.hidden = false;
  }

  function turn(on) {
    part("start").hidden = on;
    part("going").hidden = !on;
    if (on) upload.dataset.recording = "yes"; else delete upload.dataset.recording;
  }

  async function keepAwake() {
    try { now.lock = await navigator.wakeLock?.request("screen"); } catch { /* a low battery forbids it: then it locks */ }
  }

  function watch(stream) {
    const context = new AudioContext(), analyser = context.createAnalyser();
    context.createMediaStreamSource(stream).connect(analyser);
    const samples = new Float32Array(analyser.fftSize);
    const draw = () => {
      if (!now) return context.close();
      analyser.getFloatTimeDomainData(samples);
      level.value = Math.min(1, Math.sqrt(samples.reduce((sum, each) => sum + each * each, 0) / samples.length) * 4);
      const ms = performance.now() - now.began;
      if (length.textContent !== mark(ms)) length.textContent = mark(ms);
      if (ms >= Number(box.dataset.most)) finish("too_long");
      setTimeout(draw, 200); // five times a second is enough to see that one is heard
    };
    draw();
  }

  async function start() {
    if (now || starting) return;
    starting = true;
    await begin().finally(() => { starting = false; });
  }

  async function begin() {
    wrong.hidden = note.hidden = true;
    if (!navigator.mediaDevices?.getUserMedia || !window.MediaRecorder) return complain(isSecureContext ? "cannot" : "insecure");
    let stream;
    try {
      stream = await navigator.mediaDevices.getUserMedia({ audio: { echoCancellation: false, autoGainControl: true } });
    } catch (error) {
      return complain({ NotAllowedError: "denied", NotFoundError: "no_microphone" }[error.name] ?? "cannot");
    }
    try {
      await loa.later();
    } catch {
      stream.getTracks().forEach((track) => track.stop());
      return complain("lost");
    }
    document.querySelectorAll(".player audio").forEach((audio) => audio.pause());
    const type = KINDS.find((each) => MediaRecorder.isTypeSupported(each)) ?? "";
    const recorder = new MediaRecorder(stream, { mimeType: type, audioBitsPerSecond: 64000 });
    const title = loa.upload.typed() || box.dataset.title.replace("{hour}", document.getElementById("clock").textContent);
    const take = loa.upload.newTake({ title, type: recorder.mimeType, origin: "recorded" });
    now = { recorder, stream, take, chunks: [], size: 0, ended: false, began: performance.now(), heard: performance.now() };
    await loa.store?.put("takes", take);
    recorder.ondataavailable = took;
    recorder.onstop = stopped;
    recorder.onerror = () => finish("broke_off");
    for (const track of stream.getAudioTracks()) {
      track.onended = () => finish("broke_off");
      track.onmute = () => { if (now) now.muted = performance.now(); };
      track.onunmute = () => { if (now) now.muted = 0; };
    }
    recorder.start(SLICE_MS);
    keepAwake();
    turn(true);
    watch(stream);
    part("done").focus();
    loa.upload.offer(title);
    loa.upload.send(take, source(now), { quiet: true });
    now.sending = loa.upload.sending();
    loa.say(words("on"));
  }

  const source = (mine) => ({
    size: () => mine.size,
    whole: () => mine.ended,
    slice: (from, until) => new Blob(mine.chunks).slice(from, until),
  });

  function took(event) {
    const mine = now ?? last;
    if (!event.data.size) return;
    loa.store?.put("slices", event.data, [mine.take.id, mine.chunks.length]);
    mine.chunks.push(event.data);
    mine.size += event.data.size;
    mine.heard = performance.now();
    mine.sending?.grew();
  }

  let last = null; // its final slice comes after it was told to stop
  function finish(why) {
    if (!now) return;
    last = now;
    now = null;
    last.length = (last.muted || (why === "broke_off" ? last.heard : performance.now())) - last.began;
    last.why = why;
    turn(false);
    last.lock?.release();
    if (last.recorder.state === "inactive") stopped(); else last.recorder.stop();
    last.stream.getTracks().forEach((track) => track.stop());
  }

  function stopped() {
    if (now) { finish("broke_off"); return; } // the browser ended it, not the person
    const mine = last;
    if (!mine || mine.ended) return;
    mine.ended = true;
    if (mine.why === "dropped") return loa.upload.giveUp(mine.take);
    if (mine.sending) mine.sending.quiet = false;
    mine.sending?.grew();
    part("start").querySelector("[data-word]").textContent = words("again");
    part("start").classList.remove("main"); // the main act is to send now
    if (!mine.why) return loa.say(words("off"));
    note.textContent = words(mine.why).replace("{at}", mark(mine.length));
    note.hidden = false;
  }

  part("start").addEventListener("click", start);
  part("done").addEventListener("click", () => finish(""));
  part("drop").addEventListener("click", () => { finish("dropped"); part("start").focus(); });

  // A phone that locks its screen may take the microphone away: what was said until then is here, and it is told.
  document.addEventListener("visibilitychange", () => {
    if (!now) return;
    if (document.hidden) { now.recorder.requestData?.(); return; }
    keepAwake();
    const mine = now;
    setTimeout(() => {
      if (now !== mine) return;
      if (performance.now() - mine.heard > SILENT_MS || mine.muted) finish("broke_off");
    }, SLICE_MS + 500);
  });
  addEventListener("beforeunload", (event) => { if (now) event.preventDefault(); });
  box.hidden = false;
})();
