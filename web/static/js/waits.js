// On the way in, outside the frame: what was pressed says so until its answer comes, and is sent once. Without an answer it
// may be pressed again.
(() => {
  const PATIENCE_MS = 20000;

  document.addEventListener("submit", (event) => {
    const button = event.submitter;
    if (!button?.dataset.pending) return;
    if (button.hasAttribute("aria-disabled")) {
      event.preventDefault();
      return;
    }
    const before = button.textContent;
    const again = () => {
      clearTimeout(patience);
      button.textContent = before;
      button.removeAttribute("aria-disabled");
    };
    const patience = setTimeout(again, PATIENCE_MS);
    addEventListener("pageshow", again, { once: true }); // back from the answer, to the page as it was left
    button.textContent = button.dataset.pending;
    button.setAttribute("aria-disabled", "true");
  });
})();
