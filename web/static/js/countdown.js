// Counts the seconds down until an emergency is sent. What happens is decided at the centre; this only shows it, and
// asks for the page's live part anew when the time is up.
(() => {
  let ends = null;
  const tick = () => {
    const shown = document.querySelector("[data-countdown]");
    if (!shown) { ends = null; return; }
    ends ??= performance.now() + Number(shown.dataset.countdown) * 1000;
    const left = Math.max(0, Math.ceil((ends - performance.now()) / 1000));
    if (shown.textContent !== String(left)) shown.textContent = String(left);
    if (left === 0) document.getElementById("emergency")?.dispatchEvent(new CustomEvent("loa:look"));
  };
  tick();
  setInterval(tick, 500);
})();
