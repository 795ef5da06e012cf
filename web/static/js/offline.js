// The page without a link: since when, and back by itself as soon as the centre answers. On the page that stands in for
// an answer that was left (data-past) nothing is lost and nothing awaited: it only leads back.
(() => {
  const EVERY_MS = 5000;
  const hour = new Intl.DateTimeFormat("vi", { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  for (const place of document.querySelectorAll("[data-since]")) place.textContent = hour.format(new Date());
  for (const button of document.querySelectorAll("[data-back]")) button.addEventListener("click", () => history.back());
  if (document.body.hasAttribute("data-past")) return;
  const unsent = document.body.hasAttribute("data-unsent");
  sessionStorage.setItem("loa:draft-lost", "yes"); // whether what was sent arrived is not known, see draft.js
  async function look() {
    try {
      await fetch("/offline", { cache: "no-store" });
    } catch {
      return;
    }
    clearInterval(looking);
    // What was not sent is sent again by a person, never by a page that was loaded anew.
    if (!unsent) location.pathname === "/offline" ? location.replace("/today") : location.reload();
    else for (const each of document.querySelectorAll("[data-healed]")) each.hidden = false;
  }
  const looking = setInterval(look, EVERY_MS);
  addEventListener("online", look);
  for (const button of document.querySelectorAll("[data-again]")) button.addEventListener("click", look);
})();
