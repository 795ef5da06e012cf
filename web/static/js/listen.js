// Listening to a recording: one button, a line to move along, the part that was heard in colour.
(() => {
  const mark = (seconds) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;

  function show(player) {
    const audio = player.querySelector("audio");
    const seconds = Number(player.dataset.lengthMs) / 1000;
    const share = Math.min(1, audio.currentTime / seconds);
    const line = player.querySelector("input[type=range]");
    line.value = String(Math.round(share * 1000));
    line.setAttribute("aria-valuetext", mark(audio.currentTime));
    player.querySelector(".heard").style.clipPath = `inset(0 ${(1 - share) * 100}% 0 0)`;
    player.querySelector(".at").textContent = mark(audio.currentTime);
    const button = player.querySelector("button");
    const word = audio.paused ? button.dataset.play : button.dataset.pause;
    button.querySelector("[data-word]").textContent = word;
    button.querySelector("use").setAttribute("href", audio.paused ? button.dataset.playIcon : button.dataset.pauseIcon);
  }

  document.documentElement.dataset.listens = ""; // until here the buttons are grey: a touch would be lost
  document.addEventListener("click", (event) => {
    const button = event.target.closest(".player button");
    if (!button) return;
    const player = button.closest(".player");
    const audio = player.querySelector("audio");
    const failed = player.querySelector(".failed");
    if (audio.paused) audio.play().then(() => { failed.hidden = true; }, () => { failed.hidden = false; });
    else audio.pause();
  });
  document.addEventListener("input", (event) => {
    const player = event.target.closest(".player");
    if (!player || event.target.type !== "range") return;
    player.querySelector("audio").currentTime = (Number(event.target.value) / 1000) * Number(player.dataset.lengthMs) / 1000;
    show(player);
  });
  for (const name of ["timeupdate", "play", "pause", "ended"]) {
    document.addEventListener(name, (event) => {
      const player = event.target.closest?.(".player");
      if (player) show(player);
    }, true); // media events do not bubble
  }
})();
