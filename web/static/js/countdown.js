// Counts the seconds down until an emergency is sent. What happens is decided at the centre; this only shows it, and
// asks for the page's live part anew when the time is up. It never shows more time than there is: what a slow link or a
// phone that slept took is gone, so of all ends that the centre told of the earliest counts.
(() => {
  let ends = null, told = "";
  let came = performance.getEntriesByType("navigation")[0]?.responseStart; // this page; later: a look, just now
  const tick = () => {
    const shown = document.querySelector("[data-countdown]"), now = performance.now();
    if (!shown) { ends = null; told = ""; return; }
    if (shown.dataset.countdown !== told) {
      told = shown.dataset.countdown;
      ends = Math.min(ends ?? Infinity, (came ?? now) + Number(told) * 1000);
    }
    const left = Math.max(0, Math.ceil((ends - now) / 1000));
    if (shown.textContent !== String(left)) shown.textContent = String(left);
    if (left === 0) document.getElementById("emergency")?.dispatchEvent(new CustomEvent("loa:look"));
  };
  tick();
  came = undefined;
  document.addEventListener("htmx:after:swap", tick);
  setInterval(tick, 500);
})();
