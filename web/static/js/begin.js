// A link to a part of the page that is closed opens it, from another page too. What begins something ("Thêm người") has
// the cursor in its first field when its link is pressed; after a mistake the first field that is wrong has it, which may
// stand screens below the top of the page.
(() => {
  const FIELD = "input:not([type=hidden], [type=file], [type=radio], [type=checkbox]), select, textarea";
  const opened = () => {
    const part = document.getElementById(location.hash.slice(1));
    if (!part?.matches("details, [data-begins]")) return null;
    if (part.matches("details")) part.open = true;
    return part;
  };
  const begin = () => {
    const part = opened();
    part?.querySelector(FIELD)?.focus({ preventScroll: true });
    part?.scrollIntoView(); // it is taller now than when the browser went there
    return part;
  };
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[href^='#']");
    // Pressed again the address does not change; and going there once more would take the cursor away.
    if (link && link.hash === location.hash && begin()) event.preventDefault();
  });
  addEventListener("hashchange", begin);
  opened();

  const wrong = [...document.querySelectorAll("main form :is([aria-invalid=true], .wrong)")].find((each) => each.checkVisibility());
  if (!wrong || document.querySelector("[autofocus]")) return;
  if (!wrong.matches("input, select, textarea")) wrong.tabIndex = -1; // several fields share it: what is said of them is read
  wrong.focus({ preventScroll: true });
  wrong.scrollIntoView({ block: "center" });
})();
