// The pages as an application: the worker, the offer to put it on the home screen, and what this device forgets when a
// person signs out: what they typed at once, what they recorded when it has arrived (left.js).
(() => {
  const LEAVES = "loa:leaves"; // who signs out, for the next page in this tab
  const PATIENCE_MS = 20000; // as once.js
  // Between the end of the session and the page that says so, a look would find it ended and lead away from there.
  const leaves = () => sessionStorage.getItem(LEAVES) !== null;
  const still = loa.still(leaves);
  document.addEventListener("htmx:before:response", (event) => { if (leaves()) event.preventDefault(); });
  const stays = () => { // it did not arrive
    sessionStorage.removeItem(LEAVES);
    still.again();
  };
  stays();
  const locale = document.documentElement.lang;
  if ("serviceWorker" in navigator) {
    addEventListener("load", () => navigator.serviceWorker.register(`/sw.js?locale=${locale}`, { scope: "/" }).catch(() => {}));
  }

  // A browser that can put it there says so once; settings show the button for it.
  let asked = null;
  const place = document.getElementById("install");
  addEventListener("beforeinstallprompt", (event) => {
    if (!place) return;
    event.preventDefault();
    asked = event;
    place.querySelector("button").hidden = false;
  });
  addEventListener("appinstalled", () => { if (place) place.hidden = true; });
  if (place && matchMedia("(display-mode: standalone)").matches) place.hidden = true;
  place?.querySelector("button").addEventListener("click", () => asked?.prompt());

  document.addEventListener("submit", (event) => {
    if (!event.target.matches("form[data-sign-out]")) return;
    const own = `loa:draft:${document.body.dataset.person}:`;
    for (const key of Object.keys(localStorage)) if (key.startsWith(own)) localStorage.removeItem(key);
    sessionStorage.clear();
    sessionStorage.setItem(LEAVES, document.body.dataset.person);
    setTimeout(stays, PATIENCE_MS); // still here: what is typed from now on is kept again
  });
})();
