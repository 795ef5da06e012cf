// A press copies a key without the blanks it is shown with. Where a browser cannot (no https), there is no button: a touch
// of the key selects all of it.
(() => {
  if (!navigator.clipboard) return;
  for (const button of document.querySelectorAll("button[data-copy]")) {
    const key = document.getElementById(button.dataset.copy), told = button.parentElement.querySelector("[data-copied]");
    button.hidden = false;
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(key.textContent.replace(/\s/g, ""));
        told.textContent = told.dataset.copied;
      } catch { // not allowed: it stands selected instead
        getSelection().selectAllChildren(key);
      }
    });
  }
})();
