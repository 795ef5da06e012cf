// What nobody needs before they have touched something comes when the page stands: keeping what is typed, sending what was
// recorded, hearing of news. On a slow link the page answers sooner by that. Its head names those scripts (loa-later), in their
// order. What did not come is asked for again; `loa.later()` waits for all of them, and fails when one does not come.
(() => {
  const AGAIN_MS = 5000;
  const wanted = document.querySelector("meta[name=loa-later]").content.trim().split(" ");
  const coming = new Map();

  const load = (src) => new Promise((done, fail) => {
    const script = Object.assign(document.createElement("script"), { src, async: false, onload: done });
    script.onerror = () => {
      script.remove();
      coming.delete(src);
      fail(new Error(src));
    };
    document.head.append(script);
  });

  loa.later = () => Promise.all(wanted.map((src) => {
    if (!coming.has(src)) coming.set(src, load(src));
    return coming.get(src);
  }));

  const begin = () => loa.later().then(() => performance.mark("loa:whole"), () => setTimeout(begin, AGAIN_MS));
  addEventListener("DOMContentLoaded", begin, { once: true });

  // Forms into which somebody typed meanwhile: draft.js keeps that as soon as it is here.
  loa.typedEarly = new Set();
  document.addEventListener("input", ({ isTrusted, target }) => { if (isTrusted && target.form) loa.typedEarly.add(target.form); });
})();
