// Whoever scanned the code that a new node shows comes with it in the fragment of the address: it goes into the form, and
// out of the address. No server has seen it on the way. Who has to sign in first finds it in the form afterwards.
(() => {
  const KEPT = "loa:claim", found = /^#code=([0-9A-Za-z-]{1,20})$/.exec(location.hash), field = document.getElementById("code");
  if (found && !field) { sessionStorage.setItem(KEPT, found[1]); return; }
  const code = found ? found[1] : field && sessionStorage.getItem(KEPT);
  if (!code || !field?.closest("#adopt")) return;
  sessionStorage.removeItem(KEPT);
  field.value = code;
  field.closest("details").open = true;
  history.replaceState(null, "", location.pathname + location.search);
  field.form.scrollIntoView();
})();
